import type { Knex } from 'knex'
import { execute, isSqlite, placeholders, selectRows, type Value } from '../db/sql.js'
import { groupBy } from '../lib/group-by.js'

/**
 * What became of the messages of a run, true at every commit: whoever claims or settles messages counts them in the
 * same transaction. The rows come last in the lock order, in one statement sorted by key, and nothing is locked after
 * them, so whoever waits for one waits for a commit.
 *
 *   claimed                                          every message of the run, whatever became of it
 *   delivered, failed, unknown, cancelled, waiting   messages that are in that state now
 *   retried, next_permit                             attempts after which a message was tried again
 *   reported                                         messages on which WeChat has sent a delivery event
 */
export type Outcome =
  | 'claimed'
  | 'delivered'
  | 'failed'
  | 'unknown'
  | 'cancelled'
  | 'waiting'
  | 'retried'
  | 'next_permit'
  | 'reported'

/** The outcome of some messages, told apart as far as an operator needs it. */
export interface OutcomeKey {
  runId: number
  outcome: Outcome
  errcode: number | null
  /** Why there was no code, see messages/cause.ts; for `reported` the status that WeChat gave. */
  cause: string
  /** Empty for `claimed` and `waiting`. */
  templateId: string
}

export interface OutcomeChange extends Omit<OutcomeKey, 'runId'> {
  /** null for messages of no run, which are not counted. */
  runId: number | null
  /** Negative for messages that leave a state. */
  messages: number
  /** One of them, for whoever looks into it. */
  sample?: { messageId: number; rid: string | null } | undefined
}

/** Connections spread over this many rows of each key. */
const SHARDS = 16

/**
 * Counts outcomes, in the transaction that brings them about. Must be the last thing that it locks. `now` is null where
 * the time is not known: at a recount.
 */
export async function addOutcomes(
  trx: Knex.Transaction,
  changes: OutcomeChange[],
  now: number | null,
): Promise<void> {
  const merged = merge(changes)
  if (merged.length === 0) return
  // Transactions under way at the same time are on different connections, so most of them write different rows.
  const shard = isSqlite(trx) ? '0' : `CONNECTION_ID() % ${SHARDS}`
  const row = `(${placeholders(5)}, ${shard}, ${placeholders(5)})`
  await execute(
    trx,
    `INSERT INTO wx_run_outcome (run_id, outcome, errcode, cause, template_id, shard, messages, first_seen_at,
       last_seen_at, sample_rid, sample_message_id) VALUES ${merged.map(() => row).join(', ')} ${onDuplicate(trx)}`,
    merged.flatMap((change) => bindingsOf(change, now)),
  )
}

type CountedChange = OutcomeChange & { runId: number }

/** One change per key, in the order of keys. */
function merge(changes: OutcomeChange[]): CountedChange[] {
  const counted = changes.filter((change): change is CountedChange => change.runId !== null)
  const groups = groupBy(counted, ({ runId, outcome, errcode, cause, templateId }) =>
    JSON.stringify([runId, outcome, errcode ?? 0, cause, templateId]),
  )
  return [...groups]
    .flatMap(([key, group]): { key: string; change: CountedChange }[] => {
      const [first] = group
      const messages = group.reduce((sum, change) => sum + change.messages, 0)
      const sample = group.findLast((change) => change.sample)?.sample
      return first && messages !== 0 ? [{ key, change: { ...first, messages, sample } }] : []
    })
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ change }) => change)
}

function bindingsOf(change: CountedChange, now: number | null): Value[] {
  const { runId, outcome, errcode, cause, templateId, messages, sample } = change
  const seenAt = messages > 0 ? now : null
  return [
    runId,
    outcome,
    errcode ?? 0,
    cause,
    templateId,
    messages,
    seenAt,
    seenAt,
    sample?.rid ?? null,
    sample?.messageId ?? null,
  ]
}

function onDuplicate(db: Knex): string {
  const added = (column: string): string => (isSqlite(db) ? `excluded.${column}` : `VALUES(${column})`)
  const latest = (column: string): string => `${column} = COALESCE(${added(column)}, ${column})`
  const set = `messages = messages + ${added('messages')},
    first_seen_at = COALESCE(first_seen_at, ${added('first_seen_at')}),
    ${latest('last_seen_at')}, ${latest('sample_rid')}, ${latest('sample_message_id')}`
  return isSqlite(db)
    ? `ON CONFLICT (run_id, outcome, errcode, cause, template_id, shard) DO UPDATE SET ${set}`
    : `ON DUPLICATE KEY UPDATE ${set}`
}

/** Takes away the rids by which WeChat can look these messages up. The counts and the messages' numbers stay. */
export async function forgetSamples(db: Knex, runIds: number[], messageIds: number[]): Promise<void> {
  if (runIds.length === 0 || messageIds.length === 0) return
  await execute(
    db,
    `UPDATE wx_run_outcome SET sample_rid = NULL WHERE run_id IN (${placeholders(runIds.length)})
       AND sample_message_id IN (${placeholders(messageIds.length)})`,
    [...runIds, ...messageIds],
  )
}

/** How many messages of a run have which outcome now. One statement, so that the counts are of one moment. */
export async function sumOutcomes(db: Knex, runId: number): Promise<Record<Outcome, number>> {
  const rows = await selectRows<{ outcome: Outcome; messages: number }>(
    db,
    'SELECT outcome, SUM(messages) AS messages FROM wx_run_outcome WHERE run_id = ? GROUP BY outcome',
    [runId],
  )
  const sums = { ...NONE }
  for (const { outcome, messages } of rows) sums[outcome] = Number(messages)
  return sums
}

const NONE: Record<Outcome, number> = {
  claimed: 0,
  delivered: 0,
  failed: 0,
  unknown: 0,
  cancelled: 0,
  waiting: 0,
  retried: 0,
  next_permit: 0,
  reported: 0,
}
