import type { Knex } from 'knex'
import { byPrimaryKey, execute, placeholders, selectRows } from '../db/sql.js'
import { groupBy } from '../lib/group-by.js'
import { causeOf } from './cause.js'
import type { AnswerRecord } from './judged.js'
import type { MessageKind } from './message.js'
import { type Ended, sampleOf } from './outcome.js'
import { addWaits } from './retry-store.js'

/** How verdicts are written down. */

/** What is recorded on a message when an attempt ends. */
export interface Settlement extends AnswerRecord {
  id: number
  kind: MessageKind
  submittedBy: string
  appId: string
  /** The claim by which the message is held. */
  claimId: number
  runId: number | null
  templateId: string
  state: 'delivered' | 'failed' | 'unknown' | 'retry'
  maybeSent: boolean
  /** Attempts to add: 0 if none was made. */
  attempts: number
  nextAttemptAt: number | null
}

/** Messages that were settled in the same way. */
export interface Settled extends Ended {
  state: Settlement['state']
}

/**
 * Writes verdicts down, with one statement for those that have the same run, template, state, claim, doubt, attempts
 * and code, or cause without one.
 * A message that another process has taken over is left as it is.
 */
export async function writeVerdicts(
  trx: Knex.Transaction,
  settlements: Settlement[],
  now: number,
): Promise<Settled[]> {
  const groups = groupBy(settlements, (s) =>
    [s.runId, s.templateId, s.state, s.claimId, s.maybeSent, s.attempts, s.errcode, causeOf(s)].join(' '),
  )
  const settled: Settled[] = []
  for (const group of groups.values()) {
    const [first] = group
    if (!first) continue
    const { runId, templateId, state, claimId } = first
    const perRow = (['errmsg', 'rid', 'msgid'] as const).map((column) => caseById(column, group))
    const { affectedRows } = await execute(
      trx,
      `UPDATE wx_push_message${byPrimaryKey(trx)} SET state = ?, attempts = attempts + ?, maybe_sent = ?, errcode = ?,
         ${perRow.map(({ sql }) => sql).join(', ')}, settled_at = ?, updated_at = ?
       WHERE id IN (${placeholders(group.length)}) AND claim_id = ? AND state IN ('queued', 'sending')`,
      [
        state,
        first.attempts,
        first.maybeSent ? 1 : 0,
        first.errcode,
        ...perRow.flatMap(({ bindings }) => bindings),
        state === 'retry' ? 0 : now,
        now,
        ...group.map(({ id }) => id),
        claimId,
      ],
    )
    if (state === 'retry') await waitForRetry(trx, group, affectedRows)
    // Where some were taken over, the first may be one of those: whoever has it counts it.
    const sample = affectedRows === group.length ? sampleOf(first.id, first) : undefined
    const attempted = first.attempts > 0
    settled.push({ runId, templateId, state, answer: first, attempted, messages: affectedRows, sample })
  }
  return settled
}

/** Notes when these messages are tried again, except for those that another process has taken over. */
async function waitForRetry(trx: Knex.Transaction, group: Settlement[], settled: number): Promise<void> {
  const [first] = group
  if (!first || settled === 0) return
  const ours = settled === group.length ? group : await stillOurs(trx, group)
  const waits = ours.map(({ id, kind, submittedBy, nextAttemptAt }) => ({
    id,
    kind,
    submittedBy,
    nextAttemptAt: nextAttemptAt ?? 0,
  }))
  await addWaits(trx, first.appId, waits)
}

async function stillOurs(trx: Knex.Transaction, group: Settlement[]): Promise<Settlement[]> {
  const rows = await selectRows<{ id: number; claim_id: number }>(
    trx,
    `SELECT id, claim_id FROM wx_push_message WHERE id IN (${placeholders(group.length)}) AND state = 'retry'`,
    group.map(({ id }) => id),
  )
  const claims = new Map(rows.map(({ id, claim_id }) => [id, claim_id]))
  return group.filter(({ id, claimId }) => claims.get(id) === claimId)
}

const PER_ROW = {
  errmsg: (s: Settlement) => s.errmsg,
  rid: (s: Settlement) => s.rid,
  msgid: (s: Settlement) => s.msgid,
}

/** `column = CASE id WHEN … END` for values that differ by row, or `column = ?` where they do not. */
function caseById(
  column: keyof typeof PER_ROW,
  group: Settlement[],
): { sql: string; bindings: (string | number | null)[] } {
  const read = PER_ROW[column]
  const [first] = group
  const common = first ? read(first) : null
  if (group.every((s) => read(s) === common)) return { sql: `${column} = ?`, bindings: [common] }
  return {
    sql: `${column} = CASE id ${'WHEN ? THEN ? '.repeat(group.length)}END`,
    bindings: group.flatMap((s) => [s.id, read(s)]),
  }
}
