/**
 * Items waiting for upload, in memory and, as a copy, in wx storage, so that they survive the end of the app.
 * WeChat keeps one running app of a mini-program and separate storage for each of its users, so nobody else
 * writes the copy.
 *
 * @typedef {object} PendingFormId
 * @property {'form_id'} kind
 * @property {string} form_id
 * @property {string} page where the form is
 * @property {number} at when the user submitted, in ms by the phone's clock
 *
 * @typedef {object} PendingSubscription
 * @property {'subscription'} kind
 * @property {string} template_id
 * @property {string} result as wx.requestSubscribeMessage returned it
 * @property {string} tap_id identifies the tap: a repeated upload of it does not count twice
 * @property {number} at when the user tapped, in ms by the phone's clock
 *
 * @typedef {PendingFormId | PendingSubscription} Pending
 */

const KEY = 'reminder.outbox'
/**
 * With one reminder a day and seven days of life, more form_ids than this are useless. Some 40 KB of storage.
 */
const MOST = 200
/** WeChat accepts no form_id that is older. */
const FORM_ID_LIFETIME_MS = 7 * 24 * 60 * 60 * 1000

/**
 * @param {object} deps
 * @param {import('./storage').Storage} deps.storage
 * @param {() => number} deps.now
 * @param {(text: string) => void} deps.hint
 */
function createOutbox({ storage, now, hint }) {
  const stored = storage.read(KEY)
  // An older version of the app, or another library, may have left anything there.
  let items = bounded(Array.isArray(stored) ? stored.filter(isPending) : [])

  /** @param {Pending[]} next */
  function replace(next) {
    items = next
    if (!storage.write(KEY, items)) {
      hint('wx storage is full: what is not uploaded before the app ends is lost')
    }
  }

  return {
    /**
     * Keeps it until remove(). When there are too many, the oldest form_id goes: it has the least time left.
     *
     * @param {Pending} item
     */
    add(item) {
      replace(bounded([...items, item]))
    },

    /**
     * The oldest items, all of the same kind as the first one, at most `most` of them. They stay until
     * remove(). Form_ids that are too old for WeChat are dropped on the way.
     *
     * @param {number} most
     * @returns {Pending[]}
     */
    take(most) {
      const oldest = now() - FORM_ID_LIFETIME_MS
      const young = items.filter(({ kind, at }) => kind !== 'form_id' || at > oldest)
      if (young.length < items.length) {
        hint('formIds older than 7 days were dropped: WeChat no longer accepts them')
        replace(young)
      }
      return items.filter(({ kind }) => kind === items[0]?.kind).slice(0, most)
    },

    /** @param {Pending[]} done items that take() returned */
    remove(done) {
      replace(items.filter((item) => !done.includes(item)))
    },
  }
}

/** @typedef {ReturnType<typeof createOutbox>} Outbox */

/**
 * @param {Pending[]} items
 * @returns {Pending[]}
 */
function bounded(items) {
  const surplus = items.length - MOST
  if (surplus <= 0) return items
  // A subscription lives for ever and cannot be replaced without asking, so form_ids go first.
  const dropped = new Set([...items].sort(byWorth).slice(0, surplus))
  return items.filter((item) => !dropped.has(item))
}

/**
 * Form_ids before subscriptions, older before younger.
 *
 * @param {Pending} a
 * @param {Pending} b
 */
function byWorth(a, b) {
  return Number(a.kind === 'subscription') - Number(b.kind === 'subscription') || a.at - b.at
}

/**
 * @param {unknown} value
 * @returns {value is Pending}
 */
function isPending(value) {
  if (typeof value !== 'object' || value === null) return false
  const item = /** @type {Record<string, unknown>} */ (value)
  if (typeof item.at !== 'number') return false
  /** @param {string[]} names */
  const hasTexts = (...names) => names.every((name) => typeof item[name] === 'string')
  return item.kind === 'form_id'
    ? hasTexts('form_id', 'page')
    : item.kind === 'subscription' && hasTexts('template_id', 'result', 'tap_id')
}

module.exports = { createOutbox }
