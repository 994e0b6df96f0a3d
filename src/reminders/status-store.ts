import type { Knex } from 'knex'
import { placeholders, selectRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'
import type { Outcome } from '../runs/outcomes.js'
import { REASON_COLUMNS, type ReasonRow } from '../runs/reason.js'
import type { RunState, Trigger } from '../runs/run.js'

/** What the status of runs reads: their rows, their outcomes and their ranges, a bounded number of rows each. */

export interface RunRow extends ReasonRow {
  id: number
  slot: number
  state: RunState
  triggered_by: Trigger
  planned: number | null
  due: number
  settled_before: number
  skipped_signed_in: number
  skipped_no_permit: number | null
  skipped_no_valid_permit: number | null
  skipped_opted_out: number
  skipped_blocked: number
  skipped_at: number | null
  started_at: number
  finished_at: number | null
  updated_at: number
}

/** The account's daily runs before a day, newest first. Uses wx_job_run_slot_uq. */
export function findRuns(db: Knex, appId: string, before: number, limit: number): Promise<RunRow[]> {
  return selectRows<RunRow>(
    db,
    `SELECT id, slot, state, triggered_by, ${REASON_COLUMNS}, planned, due, settled_before, skipped_signed_in,
       skipped_no_permit, skipped_no_valid_permit, skipped_opted_out, skipped_blocked, skipped_at, started_at,
       finished_at, updated_at
     FROM wx_job_run WHERE job = 'remind' AND app_id = ? AND slot < ? ORDER BY slot DESC LIMIT ?`,
    [appId, before, limit],
  )
}

/** One shard of one outcome. */
export interface OutcomeRow {
  run_id: number
  outcome: Outcome
  errcode: number
  cause: string
  template_id: string
  messages: number
  first_seen_at: number | null
  last_seen_at: number | null
  sample_rid: string | null
  sample_message_id: number | null
}

/** The outcomes of runs, read in one statement and so at one moment. */
export function findOutcomes(db: Knex, runIds: number[]): Promise<OutcomeRow[]> {
  if (runIds.length === 0) return Promise.resolve([])
  return selectRows<OutcomeRow>(
    db,
    `SELECT run_id, outcome, errcode, cause, template_id, messages, first_seen_at, last_seen_at, sample_rid,
       sample_message_id FROM wx_run_outcome WHERE run_id IN (${placeholders(runIds.length)})`,
    runIds,
  )
}

/**
 * The share of the users that a run has read, 0 to 1, by how far each of its ranges has come: they have about as many
 * users each. Undefined without ranges. The outer ranges are open-ended, and count from and to the account's users.
 */
export async function findShareRead(db: Knex, appId: string, runId: number): Promise<number | undefined> {
  const ranges = await selectRows<{ cur: UserId; hi: UserId }>(
    db,
    'SELECT cur, hi FROM wx_job_cursor WHERE run_id = ? ORDER BY range_no',
    [runId],
  )
  const first = await findOuterUser(db, appId, 'ASC')
  const last = await findOuterUser(db, appId, 'DESC')
  if (first === undefined || last === undefined) return undefined
  const shares: number[] = []
  let from = first - 1
  for (const { cur, hi } of ranges) {
    const to = Math.min(Number(hi), last)
    if (to <= from) continue
    shares.push(Math.min(1, Math.max(0, (Number(cur) - from) / (to - from))))
    from = to
  }
  return shares.length === 0 ? undefined : shares.reduce((sum, share) => sum + share, 0) / shares.length
}

async function findOuterUser(db: Knex, appId: string, order: 'ASC' | 'DESC'): Promise<number | undefined> {
  const [row] = await selectRows<{ user_id: UserId }>(
    db,
    `SELECT user_id FROM wx_message_push_status WHERE app_id = ? ORDER BY user_id ${order} LIMIT 1`,
    [appId],
  )
  return row && Number(row.user_id)
}
