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

/** Counts them, without locks: the messages of the account's claims, and those that wait. */
export async function countOpen(db: Knex, appId: string, now: number): Promise<OpenMessages> {
  const [held] = await selectRows<{ in_hand: number | null; until: number | null; lapsed: number | null }>(
    db,
    `SELECT SUM(CASE WHEN lease_until >= db_now THEN messages ELSE 0 END) AS in_hand,
       MAX(CASE WHEN messages > 0 THEN lease_until END) AS until,
       SUM(CASE WHEN lease_until < db_now THEN messages ELSE 0 END) AS lapsed
     FROM (SELECT c.lease_until, ${databaseNow(db)} AS db_now, (SELECT COUNT(*) FROM wx_push_message m
         WHERE m.claim_id = c.id AND m.state IN ('queued', 'sending')) AS messages
       FROM wx_claim c WHERE c.app_id = ?) AS claims`,
    [appId],
  )
  const [retries] = await selectRows<{ due: number | null; later: number | null; next: number | null }>(
    db,
    `SELECT SUM(CASE WHEN next_attempt_at <= ? THEN 1 ELSE 0 END) AS due,
       SUM(CASE WHEN next_attempt_at > ? THEN 1 ELSE 0 END) AS later,
       MIN(CASE WHEN next_attempt_at > ? THEN next_attempt_at END) AS next
     FROM wx_message_retry WHERE app_id = ?`,
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
