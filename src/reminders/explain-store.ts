import type { Knex } from 'knex'
import { mysqlHint, selectRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'
import { hasUnreadRanges } from '../runs/ranges.js'
import { REASON_COLUMNS, type ReasonRow, toReason } from '../runs/reason.js'
import { isStopped } from '../users/stopped.js'
import type {
  CounterFact,
  Facts,
  GivenBackFact,
  MessageFact,
  PermitFact,
  RunFact,
  SentWith,
  StopFact,
} from './explain-facts.js'

/** Reads of one user's rows, each by a key that begins with the user, and of the day's run. */

/** More permits of a user are not looked at. */
const MAX_PERMITS = 2_000
const MAX_STOPS = 200

interface Of {
  appId: string
  userId: UserId
}

/** The reminder of a day that was not given back. Uses wx_push_message_reminder_uq. */
export async function findMessage(
  db: Knex,
  { appId, userId }: Of,
  date: number,
): Promise<MessageFact | undefined> {
  const [row] = await selectRows<MessageFact>(
    db,
    `SELECT m.state, m.errcode, m.errmsg, m.attempts, m.delivery_status, m.created_at, m.settled_at, r.next_attempt_at
     FROM wx_push_message m LEFT JOIN wx_message_retry r ON r.message_id = m.id
     WHERE m.app_id = ? AND m.business_date = ? AND m.user_id = ?`,
    [appId, date, userId],
  )
  return row
}

/** A user's last message of a run that was given back: those have no day. Uses wx_push_message_reminder_uq. */
export async function findGivenBack(
  db: Knex,
  { appId, userId }: Of,
  runId: number,
): Promise<Facts['givenBack']> {
  const [row] = await selectRows<GivenBackFact>(
    db,
    `SELECT settled_at AS at, errcode, errmsg FROM wx_push_message${mysqlHint(db, 'FORCE INDEX (wx_push_message_reminder_uq)')}
     WHERE app_id = ? AND business_date IS NULL AND user_id = ? AND run_id = ? AND state = 'cancelled'
     ORDER BY id DESC LIMIT 1`,
    [appId, userId, runId],
  )
  return row
}

export async function findCounter(db: Knex, { appId, userId }: Of): Promise<CounterFact | undefined> {
  const [row] = await selectRows<CounterFact>(
    db,
    'SELECT count, last_date, created_at, updated_at FROM wx_message_push_status WHERE app_id = ? AND user_id = ?',
    [appId, userId],
  )
  return row
}

/** The permits of any status, in the order in which they are spent; of too many, those that last longest. */
export async function findPermits(
  db: Knex,
  { appId, userId }: Of,
): Promise<{ permits: PermitFact[]; hasMorePermits: boolean }> {
  const rows = await selectRows<PermitFact>(
    db,
    `SELECT f.source, f.template_id, f.expire, f.status, f.created_at, f.updated_at, m.created_at AS spent_at,
       CASE WHEN f.status = 1 AND m.kind = 'api' AND m.state IN ('queued', 'sending', 'retry') THEN m.id END AS held_by
     FROM wx_save_form_id f${mysqlHint(db, 'FORCE INDEX (wx_save_form_id_oldest_idx)')}
     LEFT JOIN wx_push_message m ON m.id = f.message_id
     WHERE f.app_id = ? AND f.user_id = ? ORDER BY f.expire DESC, f.id DESC LIMIT ${MAX_PERMITS + 1}`,
    [appId, userId],
  )
  return { permits: rows.slice(0, MAX_PERMITS).reverse(), hasMorePermits: rows.length > MAX_PERMITS }
}

/** The stops that hold for a template, of any open_id of the user, and those that ended after `since`, the oldest first. */
export async function findStops(
  db: Knex,
  { appId, userId, templateId }: Of & { templateId: string },
  since: number,
): Promise<StopFact[]> {
  const rows = await selectRows<{
    opted_out_at: number | null
    blocked_at: number | null
    stop_errcode: number | null
  }>(
    db,
    `SELECT opted_out_at, blocked_at, stop_errcode FROM wx_user u${mysqlHint(db, 'FORCE INDEX (wx_user_user_idx)')}
     WHERE app_id = ? AND user_id = ? AND ${isStopped('u', '?')} LIMIT ${MAX_STOPS}`,
    [appId, userId, templateId],
  )
  const ended = await selectRows<StopFact>(
    db,
    `SELECT kind, errcode, began_at, ended_at FROM wx_stop_history${mysqlHint(db, 'FORCE INDEX (wx_stop_history_user_idx)')}
     WHERE app_id = ? AND user_id = ? AND ended_at > ? ORDER BY ended_at LIMIT ${MAX_STOPS}`,
    [appId, userId, since],
  )
  const holding = rows.flatMap(({ opted_out_at, blocked_at, stop_errcode }): StopFact[] => [
    // The code stands for the block, if there is one.
    ...stopFrom('opt_out', opted_out_at, blocked_at === null ? stop_errcode : null),
    ...stopFrom('block', blocked_at, stop_errcode),
  ])
  return [...ended, ...holding].sort((a, b) => a.began_at - b.began_at)
}

function stopFrom(kind: StopFact['kind'], at: number | null, errcode: number | null): StopFact[] {
  return at === null ? [] : [{ kind, errcode, began_at: at, ended_at: null }]
}

/** Since when the first open_id of the user is known, in ms. A user has one, rarely more. */
export async function findKnownSince(db: Knex, { appId, userId }: Of): Promise<number | undefined> {
  const [row] = await selectRows<{ since: number | null }>(
    db,
    `SELECT MIN(created_at) AS since FROM wx_user${mysqlHint(db, 'FORCE INDEX (wx_user_user_idx)')}
     WHERE app_id = ? AND user_id = ?`,
    [appId, userId],
  )
  return row?.since ?? undefined
}

export async function findSignIn(db: Knex, { appId, userId }: Of, date: number): Promise<Facts['signIn']> {
  const [row] = await selectRows<{ at: number }>(
    db,
    'SELECT created_at AS at FROM wx_sign_in WHERE app_id = ? AND user_id = ? AND day = ?',
    [appId, userId, date],
  )
  return row
}

/** The daily run of a day, and whether it has passed the user. */
export async function findRunFor(
  db: Knex,
  { appId, userId }: Of,
  date: number,
): Promise<(RunFact & { id: number }) | undefined> {
  const [run] = await selectRows<
    Omit<RunFact, 'isRead' | 'hasUnread' | 'reason'> & ReasonRow & { id: number }
  >(
    db,
    `SELECT id, state, ${REASON_COLUMNS}, triggered_by, started_at, finished_at, claim_limit, claimed FROM wx_job_run
     WHERE job = 'remind' AND app_id = ? AND slot = ?`,
    [appId, date],
  )
  if (!run) return undefined
  // The ranges lie one after the other, so the first that ends no earlier has the user.
  const [range] = await selectRows<{ cur: UserId; again: UserId | null }>(
    db,
    'SELECT cur, again FROM wx_job_cursor WHERE run_id = ? AND hi >= ? ORDER BY range_no LIMIT 1',
    [run.id, userId],
  )
  const isRead = range !== undefined && range.cur >= userId && (range.again === null || range.again > userId)
  return { ...run, reason: toReason(run), isRead, hasUnread: await hasUnreadRanges(db, run.id) }
}

/** What the reminders of a run were sent with; undefined if it wrote none. */
export async function findSentWith(db: Knex, runId: number): Promise<SentWith | undefined> {
  const [row] = await selectRows<{ channel: SentWith['channel']; template_id: string }>(
    db,
    `SELECT c.channel, c.template_id FROM (SELECT card_id FROM wx_push_message${mysqlHint(db, 'FORCE INDEX (wx_push_message_run_idx)')} WHERE run_id = ? ORDER BY id DESC LIMIT 1) m
     JOIN wx_card c ON c.id = m.card_id`,
    [runId],
  )
  return row && { channel: row.channel, templateId: row.template_id }
}

export async function findFirstRun(db: Knex, appId: string): Promise<number | undefined> {
  const [row] = await selectRows<{ slot: number }>(
    db,
    `SELECT slot FROM wx_job_run${mysqlHint(db, 'FORCE INDEX (wx_job_run_slot_uq)')}
     WHERE job = 'remind' AND app_id = ? ORDER BY slot LIMIT 1`,
    [appId],
  )
  return row?.slot
}

/** The tables that can have been first to hear of a user, each with its key by user. Who has a message has a counter. */
const HEARD_OF = {
  wx_message_push_status: 'PRIMARY',
  wx_user: 'wx_user_user_idx',
  wx_save_form_id: 'wx_save_form_id_oldest_idx',
  wx_sign_in: 'PRIMARY',
}

export async function isKnown(db: Knex, { appId, userId }: Of): Promise<boolean> {
  for (const [table, key] of Object.entries(HEARD_OF)) {
    const rows = await selectRows(
      db,
      `SELECT 1 FROM ${table}${mysqlHint(db, `FORCE INDEX (${key})`)} WHERE app_id = ? AND user_id = ? LIMIT 1`,
      [appId, userId],
    )
    if (rows.length > 0) return true
  }
  return false
}
