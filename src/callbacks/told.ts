import type { Knex } from 'knex'
import { MINUTE_MS } from '../lib/durations.js'
import { isoTime } from '../lib/iso-time.js'
import { readReport } from './delivery.js'
import type { EventOutcome } from './store.js'
import { findEventsSince, findToldMessage } from './told-store.js'

/** An event of WeChat's about a message. */
export interface ToldEvent {
  event: string
  /** By WeChat's clock, to the second. */
  at: string
  /** `success`, or `failed: …` with WeChat's words. */
  status: string | null
  /** What came of it here, or what it waits for. */
  outcome: EventOutcome | null
  received_at: string
  processed_at: string | null
}

/** How far WeChat's clock may be from ours. */
const SKEW_MS = 2 * MINUTE_MS

/** What WeChat has told of a message, in its order; none before WeChat has accepted it. */
export async function findTold(db: Knex, appId: string, id: number): Promise<ToldEvent[]> {
  const message = await findToldMessage(db, appId, id)
  if (message?.msgid == null || message.open_id === null) return []
  const since = Math.floor((message.created_at - SKEW_MS) / 1000)
  const of = { appId, openId: message.open_id, msgid: message.msgid, since }
  return (await findEventsSince(db, of)).map((row) => ({
    event: row.event,
    at: isoTime(row.event_time * 1000),
    status: readReport(row)?.status ?? null,
    outcome: row.outcome,
    received_at: isoTime(row.received_at),
    processed_at: isoTime(row.processed_at),
  }))
}
