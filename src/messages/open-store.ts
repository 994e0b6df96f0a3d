import type { Knex } from 'knex'
import { databaseNow, selectRows } from '../db/sql.js'

/** The messages of an account that are not settled. */
export interface OpenMessages {
  /** Claimed, under a lease that still holds: a process has them, or had them when it died. */
  inHand: number
  /** When the last of these leases lapses (ms) if nobody renews it: any process can then take them over. */
  inHandUntil: number | undefined
  /** Left by a process that died, for any process to take over. */
  lapsed: number
  retriesDue: number
  retriesLater: number
  /** When the first of the later ones is due, in ms. */
  nextRetryAt: number | undefined
}

/** Counts them, without locks. Uses wx_push_message_lease_idx and wx_push_message_retry_idx. */
export async function countOpen(db: Knex, appId: string, now: number): Promise<OpenMessages> {
  const [held] = await selectRows<{ in_hand: number | null; until: number | null; lapsed: number | null }>(
    db,
    `SELECT SUM(CASE WHEN lease_until >= ${databaseNow(db)} THEN 1 ELSE 0 END) AS in_hand,
       MAX(lease_until) AS until, SUM(CASE WHEN lease_until < ${databaseNow(db)} THEN 1 ELSE 0 END) AS lapsed
     FROM wx_push_message WHERE app_id = ? AND lease_until > 0 AND state IN ('queued', 'sending')`,
    [appId],
  )
  const [retries] = await selectRows<{ due: number | null; later: number | null; next: number | null }>(
    db,
    `SELECT SUM(CASE WHEN next_attempt_at <= ? THEN 1 ELSE 0 END) AS due,
       SUM(CASE WHEN next_attempt_at > ? THEN 1 ELSE 0 END) AS later,
       MIN(CASE WHEN next_attempt_at > ? THEN next_attempt_at END) AS next
     FROM wx_push_message WHERE app_id = ? AND next_attempt_at > 0 AND state = 'retry'`,
    [now, now, now, appId],
  )
  // MySQL's SUM is a decimal, which the driver returns as text.
  const inHand = Number(held?.in_hand ?? 0)
  return {
    inHand,
    inHandUntil: inHand > 0 ? (held?.until ?? undefined) : undefined,
    lapsed: Number(held?.lapsed ?? 0),
    retriesDue: Number(retries?.due ?? 0),
    retriesLater: Number(retries?.later ?? 0),
    nextRetryAt: retries?.next ?? undefined,
  }
}
