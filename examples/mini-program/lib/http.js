const TIMEOUT_MS = 10_000

/**
 * @typedef {object} Answer
 * @property {number} status 0 if no answer came
 * @property {unknown} data parsed, if it was JSON
 * @property {Record<string, string>} headers names in lower case
 */

/**
 * wx.request as a promise that never fails: without an answer its status is 0.
 *
 * @param {Pick<WechatMiniprogram.Wx, 'request'>} wx
 * @param {{ method: 'GET' | 'POST', url: string, data?: object, token?: string }} what
 * @returns {Promise<Answer>}
 */
function send(wx, { method, url, data, token }) {
  return new Promise((resolve) => {
    wx.request({
      url,
      method,
      ...(data === undefined ? {} : { data }),
      header: {
        'Content-Type': 'application/json',
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      },
      timeout: TIMEOUT_MS,
      success: ({ statusCode, data, header }) =>
        resolve({ status: statusCode, data, headers: lowerCaseNames(header) }),
      fail: ({ errMsg }) => resolve({ status: 0, data: errMsg, headers: {} }),
    })
  })
}

/**
 * Platforms differ in the case of header names.
 *
 * @param {Record<string, unknown> | undefined} header
 * @returns {Record<string, string>}
 */
function lowerCaseNames(header) {
  /** @type {Record<string, string>} */
  const lower = {}
  for (const [name, value] of Object.entries(header || {})) lower[name.toLowerCase()] = String(value)
  return lower
}

/**
 * The field of a JSON object, or undefined if there is none.
 *
 * @param {unknown} data
 * @param {string} name
 * @returns {unknown}
 */
function field(data, name) {
  return typeof data === 'object' && data !== null
    ? /** @type {Record<string, unknown>} */ (data)[name]
    : undefined
}

/**
 * The stable code of the service's errors, {"error":{"code","message"}}.
 *
 * @param {Answer} answer
 * @returns {unknown}
 */
const errorCode = ({ data }) => field(field(data, 'error'), 'code')

/**
 * What the service says went wrong, in its words.
 *
 * @param {Answer} answer
 * @returns {string}
 */
function whatItSays({ status, data }) {
  if (status === 0) return `no answer (${data})`
  const message = field(field(data, 'error'), 'message')
  return `${status} ${typeof message === 'string' ? message : 'and nothing that this kit understands'}`
}

module.exports = { send, errorCode, field, whatItSays }
