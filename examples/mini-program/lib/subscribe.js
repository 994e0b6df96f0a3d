/** What the fail codes of wx.requestSubscribeMessage mean (WeChat: wx.requestSubscribeMessage), and what to do. */
/** @type {Record<number, string>} */
const FAILURES = {
  10001: 'tmplIds is empty: set templateIds in config.js',
  10002: 'the network failed while WeChat asked for the templates; the next tap asks again',
  10003: "the network failed while WeChat stored the user's choice; the next tap asks again",
  10004: 'a template id is not a text: look at templateIds in config.js',
  10005: 'the popup cannot be shown while the mini-program is in the background',
  20001:
    'no such template in this account, or one-time and long-term are mixed up: compare templateIds with the console',
  20002: 'one-time and long-term templates cannot be asked for in one call',
  20003: 'too many templates in one call: 3 in older clients, 5 in newer ones',
  20004: 'the user has turned off the main switch of messages (通知管理); nothing to do but to leave it',
  20005: 'the mini-program is banned from asking',
  20013: 'templates of devices cannot be asked for in this way',
}

/**
 * @param {{ errCode?: number, errMsg?: string }} failure what fail() got
 * @returns {string}
 */
function explainFailure({ errCode, errMsg }) {
  const meaning = errCode === undefined ? undefined : FAILURES[errCode]
  return `requestSubscribeMessage failed with ${errCode}: ${meaning || errMsg}`
}

/**
 * What to tell the developer about one template's result, if anything. accept, acceptWithAudio and the like are
 * consent; reject is the user's right.
 *
 * @param {string} templateId
 * @param {string} result
 * @returns {string | undefined}
 */
function explainResult(templateId, result) {
  if (result === 'ban') return `WeChat has banned template ${templateId}: see 订阅消息 in the console`
  if (result === 'filter') return `template ${templateId} has the same title as another one and was left out`
  return undefined
}

/** @param {string} result */
const isAccepted = (result) => result.startsWith('accept')

module.exports = { explainFailure, explainResult, isAccepted }
