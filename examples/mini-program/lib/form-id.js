/**
 * Texts that WeChat gives instead of a form_id, and what to tell the developer. The service refuses them too;
 * here they are not even stored or sent.
 */
const MOCK = 'the formid is a mock one'
const TRIAL_VERSION = 'the formid is no longer available in develop or trial version of this mini program'
const REQUEST_FAILED = 'requestformid:fail'

/**
 * Says why a formId cannot be used, or undefined if it can.
 *
 * @param {unknown} formId event.detail.formId, unchanged
 * @returns {string | undefined}
 */
function whyUnusable(formId) {
  const text = typeof formId === 'string' ? formId.trim().toLowerCase() : ''
  if (text === '' || text === 'undefined' || text === 'null') {
    return 'no formId came with the submit: does the <form> have report-submit?'
  }
  if (text === MOCK) return 'DevTools gives mock formIds only: try on a phone'
  if (text === TRIAL_VERSION) return 'develop and trial versions get no formId since base library 2.10.0'
  if (text.startsWith(REQUEST_FAILED)) {
    return `WeChat gave no formId (${text}). It withdrew them in 2020: use subscribe messages`
  }
  return undefined
}

module.exports = { whyUnusable }
