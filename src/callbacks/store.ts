import type { Knex } from 'knex'
import { execute, forUpdateSkipLocked, placeholders, rowPlaceholders, selectRows } from '../db/sql.js'
import type { BoundPerson } from '../users/person.js'
import type { ReceivedEvent } from './events.js'

/** The result of an event, or what it waits for (`no_user`, `unknown_message` while its state is waiting). */
export type EventOutcome =
  | 'granted'
  | 'duplicate'
  | 'outdated'
  | 'too_many'
  | 'refused'
  | 'voided'
  | 'opted_out'
  | 'delivered'
  | 'failed'
  | 'blocked'
  | 'unblocked'
  | 'bound'
  | 'ignored'
  | 'unknown_template'
  | 'incomplete'
  | 'no_user'
  | 'unknown_message'
  | 'error'

/** The content of an accepted push with this mark, if there was one. Uses wx_callback_nonce_mark_uq. */
export async function findContent(
  trx: Knex.Transaction,
  appId: string,
  mark: string,
): Promise<string | undefined> {
  const [row] = await selectRows<{ content: string }>(
    trx,
    'SELECT content FROM wx_callback_nonce WHERE app_id = ? AND mark = ?',
    [appId, mark],
  )
  return row?.content
}

/** Throws a duplicate error if another transaction stored it first. */
export async function insertMark(
  trx: Knex.Transaction,
  push: { appId: string; mark: string; content: string },
  now: number,
): Promise<void> {
  await execute(
    trx,
    'INSERT INTO wx_callback_nonce (app_id, mark, content, received_at) VALUES (?, ?, ?, ?)',
    [push.appId, push.mark, push.content, now],
  )
}

/** Returns those of the keys that are stored already, without locks. Uses wx_callback_event_key_uq. */
export async function findKnownKeys(trx: Knex.Transaction, keys: string[]): Promise<Set<string>> {
  const rows = await selectRows<{ event_key: string }>(
    trx,
    `SELECT event_key FROM wx_callback_event WHERE event_key IN (${placeholders(keys.length)})`,
    keys,
  )
  return new Set(rows.map(({ event_key }) => event_key))
}

/** Throws a duplicate error if another transaction stored one of them first. */
export async function insertEvents(
  trx: Knex.Transaction,
  appId: string,
  events: ReceivedEvent[],
  traceId: string,
  now: number,
): Promise<void> {
  await execute(
    trx,
    `INSERT INTO wx_callback_event (app_id, open_id, event, event_time, template_id, msgid, event_key, payload, state,
       outcome, next_attempt_at, trace_id, received_at, processed_at) VALUES ${rowPlaceholders(events.length, 14)}`,
    events.flatMap((e) => [
      appId,
      e.openId,
      e.event,
      e.eventTime,
      e.templateId,
      e.msgid,
      e.key,
      e.payload,
      e.work === 'due' ? 'stored' : 'done',
      e.work === 'due' ? null : e.work,
      e.work === 'due' ? now : null,
      traceId,
      now,
      e.work === 'due' ? null : now,
    ]),
  )
}

/** Events due by now, those that have waited longest first. Uses wx_callback_event_due_idx. */
export async function findDue(db: Knex, appId: string, now: number, limit: number): Promise<number[]> {
  const rows = await selectRows<{ id: number }>(
    db,
    `SELECT id FROM wx_callback_event WHERE app_id = ? AND next_attempt_at <= ?
     ORDER BY next_attempt_at LIMIT ?`,
    [appId, now, limit],
  )
  return rows.map(({ id }) => id)
}

export interface EventRow {
  id: number
  open_id: string
  event: string
  event_time: number
  template_id: string | null
  msgid: string | null
  event_key: string
  payload: string
  trace_id: string
  received_at: number
}

/** Locks an event if it is still due and no other process is working on it. */
export async function lockDue(trx: Knex.Transaction, id: number, now: number): Promise<EventRow | undefined> {
  const [row] = await selectRows<EventRow>(
    trx,
    `SELECT id, open_id, event, event_time, template_id, msgid, event_key, payload, trace_id, received_at
     FROM wx_callback_event WHERE id = ? AND next_attempt_at <= ?${forUpdateSkipLocked(trx)}`,
    [id, now],
  )
  return row
}

export async function finish(
  trx: Knex.Transaction,
  id: number,
  outcome: EventOutcome,
  now: number,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_callback_event SET state = 'done', outcome = ?, next_attempt_at = NULL, processed_at = ? WHERE id = ?`,
    [outcome, now, id],
  )
}

/** Leaves an event for later, unless another process has ended it meanwhile. */
export async function postpone(db: Knex, id: number, outcome: EventOutcome, until: number): Promise<void> {
  await execute(
    db,
    `UPDATE wx_callback_event SET state = 'waiting', outcome = ?, next_attempt_at = ?
     WHERE id = ? AND next_attempt_at IS NOT NULL`,
    [outcome, until, id],
  )
}

/** Makes the events that wait for this person's user due at once. Uses wx_callback_event_person_idx. */
export async function endWaitForUser(db: Knex, appId: string, openId: string, now: number): Promise<void> {
  await execute(
    db,
    `UPDATE wx_callback_event SET next_attempt_at = ?
     WHERE app_id = ? AND open_id = ? AND outcome = 'no_user' AND next_attempt_at > ?`,
    [now, appId, openId, now],
  )
}

/** Whether a newer event of this name is known; within one second, the one that came later is newer. */
export async function hasNewer(
  trx: Knex.Transaction,
  appId: string,
  { id, open_id, event_time }: EventRow,
  event: string,
): Promise<boolean> {
  const rows = await selectRows(
    trx,
    `SELECT 1 FROM wx_callback_event WHERE app_id = ? AND open_id = ? AND event_time >= ? AND event = ?
       AND (event_time > ? OR id > ?) LIMIT 1`,
    [appId, open_id, event_time, event, event_time, id],
  )
  return rows.length > 0
}

/** Whether the person is known to have turned a template off at this second or later. */
export async function hasRefusedSince(
  trx: Knex.Transaction,
  appId: string,
  { open_id, event_time }: EventRow,
  templateId: string,
): Promise<boolean> {
  const rows = await selectRows(
    trx,
    `SELECT 1 FROM wx_callback_event WHERE app_id = ? AND open_id = ? AND event_time >= ?
       AND event = 'subscribe_msg_change_event' AND template_id = ? LIMIT 1`,
    [appId, open_id, event_time, templateId],
  )
  return rows.length > 0
}

/**
 * Whether the user has accepted this template after a given moment, whether spent or not. Uses the key by user.
 */
export async function hasAcceptedSince(
  trx: Knex.Transaction,
  person: BoundPerson & { templateId: string },
  since: number,
): Promise<boolean> {
  const rows = await selectRows(
    trx,
    `SELECT 1 FROM wx_save_form_id WHERE app_id = ? AND user_id = ? AND source = 'subscribe' AND open_id = ?
       AND template_id = ? AND tapped_at > ? LIMIT 1`,
    [person.appId, person.userId, person.openId, person.templateId, since],
  )
  return rows.length > 0
}
