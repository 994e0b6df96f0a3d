import type { Knex } from 'knex'
import { databaseNow, mysqlHint, selectRows } from '../db/sql.js'

/** So many that wait are counted: backends may have submitted a million, and somebody waits for the answer. */
export const MOST_COUNTED = 10_000

/** The messages of an account that are not settled. */
export interface OpenMessages {
  /** Claimed, under a lease that still holds: a process has them, or had them when it died. */
  inHand: number
  /** When the last of these leases lapses (ms) if nobody renews it: any process can then take them over. */
  inHandUntil: number | undefined
  /** Left by a process that died, for any process to take over. */
  lapsed: number
  /** Up to MOST_COUNTED of each kind of messages. */
  retriesDue: number
  retriesLater: number
  /** When the first of the later ones is due, in ms. */
  nextRetryAt: number | undefined
}

/** Counts them, without locks: the messages of the account's claims, and those that wait, as far as MOST_COUNTED. */
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
  const due = await countWaits(db, appId, 'next_attempt_at <= ?', now)
  const later = await countWaits(db, appId, 'next_attempt_at > ?', now)
  // MySQL's SUM is a decimal, which the driver returns as text.
  const inHand = Number(held?.in_hand ?? 0)
  return {
    inHand,
    inHandUntil: inHand > 0 ? (held?.until ?? undefined) : undefined,
    lapsed: Number(held?.lapsed ?? 0),
    retriesDue: due.messages,
    retriesLater: later.messages,
    nextRetryAt: later.first,
  }
}

/** Uses wx_message_retry_due_idx, and reads of each kind one entry more than it counts. */
async function countWaits(
  db: Knex,
  appId: string,
  when: string,
  now: number,
): Promise<{ messages: number; first: number | undefined }> {
  const waits = `SELECT next_attempt_at FROM wx_message_retry${mysqlHint(db, 'FORCE INDEX (wx_message_retry_due_idx)')}
    WHERE app_id = ? AND kind = ? AND ${when} ORDER BY next_attempt_at LIMIT ?`
  const of = `SELECT COUNT(*) AS messages, MIN(next_attempt_at) AS first FROM (${waits}) AS waiting`
  const rows = await selectRows<{ messages: number; first: number | null }>(
    db,
    `${of} UNION ALL ${of}`,
    (['reminder', 'api'] as const).flatMap((kind) => [appId, kind, now, MOST_COUNTED]),
  )
  const firsts = rows.flatMap(({ first }) => first ?? [])
  return {
    messages: rows.reduce((sum, { messages }) => sum + Number(messages), 0),
    first: firsts.length === 0 ? undefined : Math.min(...firsts),
  }
}
