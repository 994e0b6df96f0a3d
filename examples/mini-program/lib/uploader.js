const { retryDelayMs } = require('./backoff')
const { errorCode, field, whatItSays } = require('./http')

/** Items in one request: as many as the service accepts from a session. */
const BATCH = 20
/** The request itself is wrong: sent again, it would get the same answer. */
const WRONG = [400, 413, 422]

/** Reasons that are no fault: what the user, or WeChat, answered to the popup. */
const ANSWERS_OF_USERS = ['rejected', 'banned', 'filtered']

/** @param {unknown} message */
const textAfter = (message) => (typeof message === 'string' ? `: ${message}` : '')

/**
 * Uploads the outbox to the service, one request at a time; items collected meanwhile go into the next one.
 * An item leaves the outbox only when the service has answered for it, so a crash repeats an upload and loses
 * none; the service counts a repeated one once.
 *
 * @param {object} deps
 * @param {import('./service').Service} deps.service
 * @param {import('./outbox').Outbox} deps.outbox
 * @param {() => number} deps.random from 0 to 1
 * @param {(work: () => void, ms: number) => number} deps.setTimeout
 * @param {(timer: number) => void} deps.clearTimeout
 * @param {(text: string) => void} deps.hint
 */
function createUploader({ service, outbox, random, setTimeout, clearTimeout, hint }) {
  let uploading = false
  let failures = 0
  /**
   * What it waits for before it tries again; a server that said when to come back is not asked earlier.
   *
   * @type {{ timer: number, untilAsked: boolean } | undefined}
   */
  let waiting

  async function uploadAll() {
    // The phone's clock may be wrong; the date of any answer tells by how much.
    if (outbox.take(1).length > 0 && !service.knowsTime()) await service.call('GET', '/v1/permits')
    let size = BATCH
    for (let batch = outbox.take(size); batch.length > 0; batch = outbox.take(size)) {
      const answer = await upload(batch)
      if (isStored(answer, batch)) {
        tellRejected(answer)
        outbox.remove(batch)
        failures = 0
      } else if (!isRefused(answer)) {
        wait(answer)
        return
      } else if (batch.length > 1) {
        // One of the items may be the cause: sent one at a time, the others get through.
        size = 1
      } else {
        hint(`an item was dropped, the service answered ${whatItSays(answer)}`)
        outbox.remove(batch)
      }
    }
  }

  /**
   * @param {import('./outbox').Pending[]} batch all of one kind
   * @returns {Promise<import('./http').Answer>}
   */
  function upload(batch) {
    const items = batch.map((item) =>
      item.kind === 'form_id'
        ? { form_id: item.form_id, page: item.page, submitted_at: service.toServiceTime(item.at) }
        : {
            template_id: item.template_id,
            result: item.result,
            tap_id: item.tap_id,
            tapped_at: service.toServiceTime(item.at),
          },
    )
    const path = batch[0] && batch[0].kind === 'form_id' ? '/v1/form-ids' : '/v1/subscriptions'
    return service.call('POST', path, { items })
  }

  /** @param {import('./http').Answer} answer */
  function wait(answer) {
    failures++
    const seconds = Number(answer.headers['retry-after'])
    const untilAsked = seconds > 0
    const delay = retryDelayMs(failures, untilAsked ? seconds : undefined, random)
    if (answer.status !== 0) {
      hint(`the upload will be tried again, the service answered ${whatItSays(answer)}`)
    }
    const timer = setTimeout(() => {
      waiting = undefined
      flush()
    }, delay)
    waiting = { timer, untilAsked }
  }

  /** @param {import('./http').Answer} answer */
  function tellRejected({ data }) {
    for (const result of /** @type {unknown[]} */ (field(data, 'results'))) {
      const reason = field(result, 'reason')
      const fault = field(field(result, 'error'), 'message')
      if (reason !== undefined && !ANSWERS_OF_USERS.includes(String(reason))) {
        hint(`the service refused an item: ${reason}${textAfter(fault)}`)
      }
    }
  }

  /** Starts an upload unless one is under way, or it is too early after a failure. */
  function flush() {
    if (uploading || waiting !== undefined) return
    uploading = true
    const end = () => {
      uploading = false
    }
    uploadAll().then(end, (error) => {
      end()
      hint(`the upload broke off: ${error}`)
    })
  }

  return {
    flush,

    /** Like flush(), but at once after a failure too: the app came to the front, or the network came back. */
    wake() {
      if (waiting !== undefined && !waiting.untilAsked) {
        clearTimeout(waiting.timer)
        waiting = undefined
      }
      flush()
    },
  }
}

/**
 * Whether the service has answered for each item. The login page of a hotel's Wi-Fi answers 200 to anything.
 *
 * @param {import('./http').Answer} answer
 * @param {import('./outbox').Pending[]} batch
 */
function isStored({ status, data }, batch) {
  const results = field(data, 'results')
  return status === 201 && Array.isArray(results) && results.length === batch.length
}

/**
 * Whether the service itself rejects the request as wrong. A proxy on the way may also answer with such a
 * status.
 *
 * @param {import('./http').Answer} answer
 */
function isRefused(answer) {
  return WRONG.includes(answer.status) && typeof errorCode(answer) === 'string'
}

module.exports = { createUploader }
