const { createHints } = require('./hints')
const { createOutbox } = require('./outbox')
const { createService } = require('./service')
const { createStorage } = require('./storage')
const { createUploader } = require('./uploader')
const { whyUnusable } = require('./form-id')
const { field, whatItSays } = require('./http')

/**
 * What the phone offers. The app passes WeChat's own; a test passes what it can control.
 *
 * @typedef {object} Phone
 * @property {Pick<WechatMiniprogram.Wx, 'request' | 'login' | 'getStorageSync' | 'setStorageSync' | 'onNetworkStatusChange'>} wx
 * @property {() => number} now in ms
 * @property {() => number} random from 0 to 1
 * @property {(work: () => void, ms: number) => number} setTimeout
 * @property {(timer: number) => void} clearTimeout
 * @property {{ warn(text: string): void }} console
 */

/**
 * The one object of the app that talks to the service. None of its calls throws, and only signIn(),
 * today() and whatToAsk() wait for an answer: everything else is stored and uploaded in the background, and retried after
 * failures.
 *
 * @param {{ serviceUrl: string }} config
 * @param {Phone} phone
 */
function createReminder({ serviceUrl }, phone) {
  const { wx, now, random, setTimeout, clearTimeout } = phone
  const hint = createHints(phone.console)
  const storage = createStorage(wx)
  const service = createService({ wx, storage, serviceUrl, now, hint })
  const outbox = createOutbox({ storage, now, hint })
  const uploader = createUploader({ service, outbox, random, setTimeout, clearTimeout, hint })
  wx.onNetworkStatusChange(({ isConnected }) => {
    if (isConnected) uploader.wake()
  })

  return {
    hint,

    /** Uploads what is left from last time. For onShow of the app. */
    wake: uploader.wake,

    /**
     * Keeps a formId and uploads it soon. Anything that is not a formId is reported in the console and
     * dropped.
     *
     * @param {unknown} formId event.detail.formId, unchanged
     * @param {string} page where the form is
     * @returns {boolean} whether it was one
     */
    addFormId(formId, page) {
      const why = whyUnusable(formId)
      if (why !== undefined) {
        hint(why)
        return false
      }
      outbox.add({ kind: 'form_id', form_id: String(formId).trim(), page, at: now() })
      uploader.flush()
      return true
    },

    /**
     * Identifies a tap, before WeChat is asked for subscriptions: a repeated upload counts once for it.
     *
     * @returns {{ id: string, at: number }}
     */
    newTap: () => ({ id: `${now().toString(36)}-${random().toString(36).slice(2)}`, at: now() }),

    /**
     * Keeps what the user answered for one template, and uploads it soon. Only an accept is a permit.
     *
     * @param {{ id: string, at: number }} tap what newTap() returned
     * @param {string} templateId
     * @param {string} result as WeChat returned it
     */
    addSubscription(tap, templateId, result) {
      outbox.add({ kind: 'subscription', template_id: templateId, result, tap_id: tap.id, at: tap.at })
      uploader.flush()
    },

    /**
     * What to ask for in the next tap: whether a formId is useful, and which templates. The service knows which ones
     * it sends by, so these may be others than the page knows of. Without an answer, all: the user taps anyway, and a
     * missed permit cannot be recovered.
     *
     * @param {string[]} templateIds those that the page knows of
     * @returns {Promise<{ formId: boolean, templateIds: string[] }>}
     */
    async whatToAsk(templateIds) {
      const { status, data } = await service.call('GET', '/v1/permits')
      if (status !== 200) return { formId: true, templateIds }
      const formId = field(data, 'ask') !== false
      const templates = field(data, 'templates')
      if (!Array.isArray(templates)) return { formId, templateIds: formId ? templateIds : [] }
      const useful = templates.filter((template) => field(template, 'ask') === true)
      return { formId, templateIds: useful.map((template) => String(field(template, 'template_id'))) }
    },

    /**
     * Whether the user has signed in today, by the service's calendar, and how many days in a row: `streak` up to
     * today, 0 if not signed in; `streakBefore` up to yesterday. The phone forgets that at a cold start, and another
     * phone never knew it.
     *
     * @returns {Promise<{ ok: true, date: string, signedIn: boolean, streak: number, streakBefore: number } | { ok: false }>}
     */
    async today() {
      const { status, data } = await service.call('GET', '/v1/sign-ins')
      const date = field(data, 'date')
      const streak = field(data, 'streak')
      const streakBefore = field(data, 'streak_before')
      if (status !== 200 || typeof date !== 'string' || typeof streak !== 'number') return { ok: false }
      return {
        ok: true,
        date,
        signedIn: field(data, 'signed_in') === true,
        streak,
        streakBefore: typeof streakBefore === 'number' ? streakBefore : 0,
      }
    },

    /**
     * Signs the user in for today. Doing it again changes nothing.
     *
     * @returns {Promise<{ ok: true, date: string, streak: number } | { ok: false }>}
     */
    async signIn() {
      const answer = await service.call('POST', '/v1/sign-ins', {})
      const date = field(answer.data, 'date')
      const streak = field(answer.data, 'streak')
      if (answer.status === 201 && typeof date === 'string' && typeof streak === 'number') {
        return { ok: true, date, streak }
      }
      hint(`sign-in: ${whatItSays(answer)}`)
      return { ok: false }
    },
  }
}

/** @typedef {ReturnType<typeof createReminder>} Reminder */

module.exports = { createReminder }
