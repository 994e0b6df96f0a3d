const { send, errorCode, field, whatItSays } = require('./http')

const TOKEN_KEY = 'reminder.session'
const NOT_BOUND =
  'the service does not number users itself and does not know this one: let your backend bind the open_id, see "User ids" in ' +
  'docs/mini-program.md. Until then nothing of this user is stored there'

/**
 * The service's HTTP interface, with a session: logs in if there is none, and once more if the service no
 * longer accepts it. Only the session says who the user is; no call carries an open_id or user_id.
 *
 * @param {object} deps
 * @param {Pick<WechatMiniprogram.Wx, 'request' | 'login'>} deps.wx
 * @param {import('./storage').Storage} deps.storage
 * @param {string} deps.serviceUrl
 * @param {() => number} deps.now
 * @param {(text: string) => void} deps.hint
 */
function createService({ wx, storage, serviceUrl, now, hint }) {
  /** @typedef {{ token: string } | { failure: import('./http').Answer }} Session */

  const stored = storage.read(TOKEN_KEY)
  let token = typeof stored === 'string' && stored !== '' ? stored : undefined
  /** @type {Promise<Session> | undefined} */
  let loggingIn
  /** How far the service's clock is ahead of the phone's, in ms; undefined until it has answered. */
  /** @type {number | undefined} */
  let ahead

  /**
   * @param {'GET' | 'POST'} method
   * @param {string} path
   * @param {object} [data]
   * @param {string} [bearer]
   */
  async function request(method, path, data, bearer) {
    const answer = await send(wx, {
      method,
      url: serviceUrl + path,
      ...(data && { data }),
      ...(bearer && { token: bearer }),
    })
    if (errorCode(answer) === 'user_not_bound') hint(NOT_BOUND)
    const date = Date.parse(answer.headers.date || '')
    if (!Number.isNaN(date)) ahead = date - now()
    return answer
  }

  /**
   * Returns a session, and a new one if there is none or only the refused one. Simultaneous calls share one
   * login: a code of wx.login works once.
   *
   * @param {string} [refused]
   * @returns {Promise<Session>}
   */
  async function openSession(refused) {
    if (token !== undefined && token !== refused) return { token }
    if (loggingIn === undefined) {
      const forget = () => {
        loggingIn = undefined
      }
      loggingIn = logIn()
      loggingIn.then(forget, forget)
    }
    return loggingIn
  }

  /** @returns {Promise<Session>} */
  async function logIn() {
    token = undefined
    const code = await new Promise((resolve) => {
      wx.login({ success: (result) => resolve(result.code), fail: () => resolve(undefined) })
    })
    if (typeof code !== 'string') return { failure: { status: 0, data: 'wx.login failed', headers: {} } }
    const answer = await request('POST', '/v1/sessions', { code })
    const given = field(answer.data, 'token')
    if (answer.status !== 201 || typeof given !== 'string') {
      if (answer.status !== 0) hint(`login: ${whatItSays(answer)}`)
      return { failure: answer }
    }
    token = given
    storage.write(TOKEN_KEY, token)
    return { token }
  }

  /**
   * @param {'GET' | 'POST'} method
   * @param {string} path
   * @param {object} [data]
   * @returns {Promise<import('./http').Answer>}
   */
  async function callWithSession(method, path, data) {
    const session = await openSession()
    if ('failure' in session) return session.failure
    const answer = await request(method, path, data, session.token)
    if (answer.status !== 401) return answer
    const renewed = await openSession(session.token)
    if ('failure' in renewed) return renewed.failure
    return request(method, path, data, renewed.token)
  }

  return {
    /**
     * Calls the service. Never throws; the status is 0 if there was no answer.
     *
     * @param {'GET' | 'POST'} method
     * @param {string} path
     * @param {object} [data]
     * @returns {Promise<import('./http').Answer>}
     */
    call: (method, path, data) =>
      callWithSession(method, path, data).catch((error) => ({ status: 0, data: String(error), headers: {} })),

    /** Whether the service has answered since the app started, so that its clock is known. */
    knowsTime: () => ahead !== undefined,

    /**
     * Converts a time of the phone to the service's clock: phones can be wrong by days, and a form_id lives
     * for seven.
     *
     * @param {number} at in ms
     * @returns {number} in ms, an integer
     */
    toServiceTime: (at) => Math.max(0, Math.round(at + (ahead || 0))),
  }
}

/** @typedef {ReturnType<typeof createService>} Service */

module.exports = { createService }
