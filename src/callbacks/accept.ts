import type { Knex } from 'knex'
import { isDuplicate } from '../db/errors.js'
import { inRequest } from '../db/transaction.js'
import { readEvents } from './events.js'
import { type OpenedPush, refusal } from './open.js'
import * as store from './store.js'

/**
 * Stores the events of a push that are not known yet, in one transaction with the push's mark, and returns
 * how many there were. A push that is sent again, by WeChat or by an eavesdropper, stores nothing. Throws
 * `forbidden` if its signature was used before for another body, `malformed_request` for a body that is not a
 * push.
 */
export async function acceptPush(
  db: Knex,
  { appId, push, traceId }: { appId: string; push: OpenedPush; traceId: string },
  now: number,
): Promise<number> {
  const received = readEvents(appId, push.fields)
  if (!received) throw refusal('body', 'The push has no MsgType, or its event has no name')
  // One list may name the same item twice.
  const events = [...new Map(received.map((event) => [event.key, event])).values()]
  return inRequest(
    db,
    async (trx) => {
      const { mark, content } = push
      const seen = await store.findContent(trx, appId, mark)
      if (seen === content) return 0
      if (seen !== undefined) throw refusal('reused', 'This signature was already used for another body')
      await store.insertMark(trx, { appId, mark, content }, now)
      if (events.length === 0) return 0
      const known = await store.findKnownKeys(
        trx,
        events.map(({ key }) => key),
      )
      const fresh = events.filter(({ key }) => !known.has(key))
      if (fresh.length > 0) await store.insertEvents(trx, appId, fresh, traceId, now)
      return fresh.length
    },
    // Another process stored the same push a moment ago: look again.
    isDuplicate,
  )
}
