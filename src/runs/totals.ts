import type { Knex } from 'knex'
import { execute, isSqlite, placeholders, selectRows } from '../db/sql.js'
import { sortedUnique } from '../lib/sorted.js'
import { sumOutcomes } from './outcomes.js'
import type { RunState } from './run.js'

/**
 * The totals of a run: how many of its messages are in which state. While a run is `running`, its totals are as of
 * `updated_at`: updating them at each change would be one more write to a row that all processes share. They are summed
 * up from its outcomes (outcomes.ts) when the run ends. From then on, each settlement of one of its messages moves that
 * message from one total to another in the same transaction. Each settlement locks the run before its messages (a
 * shared lock while the run is running), so that none falls between the count and the end.
 */
export interface Totals {
  delivered: number
  failed: number
  unknown: number
  cancelled: number
  /** Not ended yet: being sent, or waiting for another attempt. */
  retrying: number
}

/**
 * Users whom a run has not reminded: due now, or passed over for a cause. Where no permit is needed, nobody can lack
 * one: null.
 */
export type SkippedFor = 'signed_in' | 'no_permit' | 'no_valid_permit' | 'opted_out' | 'blocked'
/** Users whom claims of a run have passed over, by the first cause that was found when they came by. */
export type Passed = Record<SkippedFor, number>
type ForWantOfPermit = 'no_permit' | 'no_valid_permit'
export type Unreminded = Record<'due' | Exclude<SkippedFor, ForWantOfPermit>, number> &
  Record<ForWantOfPermit, number | null>

/** Locks the runs of messages about to be settled, until the commit. Returns those that have ended. */
export async function lockForSettling(
  trx: Knex.Transaction,
  runIds: (number | null)[],
  how: 'beside others' | 'alone' = 'beside others',
): Promise<Set<number>> {
  const ids = sortedUnique(runIds.filter((id) => id !== null))
  if (ids.length === 0) return new Set()
  const read = async (lock: string): Promise<Set<number>> => {
    const rows = await selectRows<{ id: number; state: RunState }>(
      trx,
      `SELECT id, state FROM wx_job_run WHERE id IN (${placeholders(ids.length)}) ORDER BY id${lock}`,
      ids,
    )
    return new Set(rows.filter(({ state }) => state !== 'running').map(({ id }) => id))
  }
  if (isSqlite(trx)) return read('')
  // Never the shared lock first: two settlements that both write to the run after it would wait for each other.
  const alone = how === 'alone' || (await read('')).size > 0
  return read(alone ? ' FOR UPDATE' : ' LOCK IN SHARE MODE')
}

/** Moves messages of an ended, locked run from one total to another. */
export async function moveTotals(
  trx: Knex.Transaction,
  runId: number,
  { from, to, messages }: { from: keyof Totals; to: keyof Totals; messages: number },
  now: number,
): Promise<void> {
  if (messages === 0) return
  await execute(
    trx,
    `UPDATE wx_job_run SET ${from} = ${from} - ?, ${to} = ${to} + ?, updated_at = ? WHERE id = ?`,
    [messages, messages, now, runId],
  )
}

/** Records the states of a locked run's messages, whichever process sent them. */
export async function countTotals(trx: Knex.Transaction, runId: number): Promise<void> {
  const { claimed, delivered, failed, unknown, cancelled } = await sumOutcomes(trx, runId)
  const retrying = claimed - delivered - failed - unknown - cancelled
  await execute(
    trx,
    `UPDATE wx_job_run SET due = ?, delivered = ?, failed = ?, unknown = ?, cancelled = ?, retrying = ? WHERE id = ?`,
    [delivered + failed + unknown + retrying, delivered, failed, unknown, cancelled, retrying, runId],
  )
}

/**
 * Called when a process leaves a run. Brings the totals up to date unless the run has ended (others may go on with
 * it), and sets `due` to the users it has claimed plus those who are still due. `unreminded` is undefined if they were
 * not counted. Returns how many messages are not settled.
 */
export async function recordStandings(
  trx: Knex.Transaction,
  runId: number,
  { unreminded, now }: { unreminded: Unreminded | undefined; now: number },
): Promise<number> {
  const ended = await lockForSettling(trx, [runId], 'alone')
  if (!ended.has(runId)) await countTotals(trx, runId)
  await execute(
    trx,
    'UPDATE wx_job_run SET due = delivered + failed + unknown + retrying + ?, updated_at = ? WHERE id = ?',
    [unreminded?.due ?? 0, now, runId],
  )
  if (unreminded) await recordSkipped(trx, runId, unreminded, now)
  const [run] = await selectRows<{ retrying: number }>(trx, 'SELECT retrying FROM wx_job_run WHERE id = ?', [
    runId,
  ])
  return run?.retrying ?? 0
}

/** Records whom the run has passed over, and when they were counted. */
async function recordSkipped(
  trx: Knex.Transaction,
  runId: number,
  { signed_in, no_permit, no_valid_permit, opted_out, blocked }: Unreminded,
  now: number,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_job_run SET skipped_signed_in = ?, skipped_no_permit = ?, skipped_no_valid_permit = ?,
       skipped_opted_out = ?, skipped_blocked = ?, skipped_at = ? WHERE id = ?`,
    [signed_in, no_permit, no_valid_permit, opted_out, blocked, now, runId],
  )
}

/** Adds to the totals of an ended run messages that were claimed for it and became unknown at once. */
export async function addUnknown(
  trx: Knex.Transaction,
  runId: number,
  messages: number,
  now: number,
): Promise<void> {
  await execute(
    trx,
    'UPDATE wx_job_run SET due = due + ?, unknown = unknown + ?, updated_at = ? WHERE id = ?',
    [messages, messages, now, runId],
  )
}
