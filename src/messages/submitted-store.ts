import type { Knex } from 'knex'
import {
  byPrimaryKey,
  execute,
  forUpdate,
  MAX_LIST,
  placeholders,
  rowPlaceholders,
  selectRows,
} from '../db/sql.js'
import { chunks } from '../lib/chunks.js'
import { groupBy } from '../lib/group-by.js'
import { sortedUnique } from '../lib/sorted.js'
import { type Cause, causeOf } from './cause.js'
import type { AnswerRecord, JudgedMessage } from './judged.js'
import type { SubmittedEnd } from './submitted-end.js'
import { addWebhookEvents } from './webhook-store.js'

/**
 * What sending writes about submitted messages beside wx_push_message: their attempts, and how they ended. Always in the
 * transaction that moves the message, after its row.
 */

export interface SubmittedEndOf {
  id: number
  state: SubmittedEnd
}

/** What came back from a request. */
export type AttemptOutcome = 'accepted' | 'refused' | 'unreachable' | 'ambiguous' | 'interrupted'

/**
 * Those of these judged messages that backends submitted and that are still in this process's hands. Locks their rows,
 * by ascending id.
 */
export async function lockSubmitted(
  trx: Knex.Transaction,
  judged: JudgedMessage[],
): Promise<JudgedMessage[]> {
  const submitted = judged.filter(({ message }) => message.kind === 'api')
  if (submitted.length === 0) return []
  const claims = new Map<number, number>()
  for (const ids of chunks(sortedUnique(submitted.map(({ message }) => message.id)), MAX_LIST)) {
    const rows = await selectRows<{ id: number; claim_id: number }>(
      trx,
      `SELECT id, claim_id FROM wx_push_message WHERE id IN (${placeholders(ids.length)})
         AND state IN ('queued', 'sending') ORDER BY id${forUpdate(trx)}`,
      ids,
    )
    for (const { id, claim_id } of rows) claims.set(id, claim_id)
  }
  return submitted.filter(({ message }) => claims.get(message.id) === message.lease.claimId)
}

/** Those of these messages whose `not_before` has not come, and that no request was made for. */
export function findEarly(
  trx: Knex.Transaction,
  ids: number[],
  now: number,
): Promise<{ id: number; submitted_by: string; not_before: number }[]> {
  return selectRows(
    trx,
    `SELECT m.id, s.submitted_by, s.not_before FROM wx_submitted_message s
     JOIN wx_push_message m ON m.id = s.message_id
     WHERE s.message_id IN (${placeholders(ids.length)}) AND s.not_before > ? AND m.state = 'queued' AND m.attempts = 0
     ORDER BY m.id`,
    [...ids, now],
  )
}

/** Writes down the attempts that these messages have made. */
export async function recordAttempts(
  trx: Knex.Transaction,
  judged: JudgedMessage[],
  now: number,
): Promise<void> {
  const made = judged.filter(({ message, attempted }) => message.kind === 'api' && attempted)
  for (const chunk of chunks(made, MAX_LIST))
    await execute(
      trx,
      `INSERT INTO wx_message_attempt (message_id, permit_id, outcome, errcode, errmsg, rid, msgid, ended_at)
       VALUES ${rowPlaceholders(chunk.length, 8)}`,
      chunk.flatMap(({ message, answer }) => [
        message.id,
        message.permitId,
        outcomeOf(answer),
        answer.errcode,
        answer.errmsg,
        answer.rid,
        answer.msgid,
        now,
      ]),
    )
}

const UNANSWERED: Partial<Record<Cause, AttemptOutcome>> = {
  unreachable: 'unreachable',
  ambiguous: 'ambiguous',
}

function outcomeOf(answer: AnswerRecord): AttemptOutcome {
  if (answer.errcode !== null) return 'refused'
  const cause = causeOf(answer)
  return cause === '' ? 'accepted' : (UNANSWERED[cause] ?? 'interrupted')
}

/** Notes that an attempt of each said nothing of it, and does not count. */
export async function spareAttempts(trx: Knex.Transaction, ids: number[]): Promise<void> {
  for (const chunk of chunks(sortedUnique(ids), MAX_LIST))
    await execute(
      trx,
      `UPDATE wx_submitted_message${byPrimaryKey(trx)} SET spared = spared + 1 WHERE message_id IN (${placeholders(chunk.length)})`,
      chunk,
    )
}

/** Records for messages that are about to be taken over that an attempt broke off, where one was under way. */
export async function recordInterrupted(trx: Knex.Transaction, ids: number[], now: number): Promise<void> {
  await execute(
    trx,
    `INSERT INTO wx_message_attempt (message_id, permit_id, outcome, ended_at)
     SELECT id, permit_id, 'interrupted', ? FROM wx_push_message
     WHERE id IN (${placeholders(ids.length)}) AND kind = 'api' AND state = 'sending'`,
    [now, ...ids],
  )
}

/** Notes when messages were first taken for sending. */
export async function markClaimed(trx: Knex.Transaction, ids: number[], now: number): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_submitted_message${byPrimaryKey(trx)} SET claimed_at = ? WHERE message_id IN (${placeholders(ids.length)}) AND claimed_at = 0`,
    [now, ...ids],
  )
}

/** Writes down how submitted messages ended, and that their backend is told. Ids of reminders change nothing. */
export async function endSubmitted(
  trx: Knex.Transaction,
  ends: SubmittedEndOf[],
  now: number,
): Promise<void> {
  for (const [state, group] of groupBy(ends, (end) => end.state))
    for (const ids of chunks(sortedUnique(group.map(({ id }) => id)), MAX_LIST)) {
      await execute(
        trx,
        `UPDATE wx_submitted_message${byPrimaryKey(trx)} SET state = ?, updated_at = ? WHERE message_id IN (${placeholders(ids.length)})`,
        [state, now, ...ids],
      )
      await addWebhookEvents(trx, state, ids, now)
    }
}

/** Sets how submitted messages ended to what the state of each says, for rows that somebody has changed by hand. */
export async function followStates(trx: Knex.Transaction, ids: number[], now: number): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_submitted_message SET updated_at = ?, state = (SELECT CASE
         WHEN m.state IN ('queued', 'sending', 'retry') THEN 'open' ELSE m.state END
       FROM wx_push_message m WHERE m.id = wx_submitted_message.message_id)
     WHERE message_id IN (${placeholders(ids.length)})`,
    [now, ...ids],
  )
}
