import type { Knex } from 'knex'
import { NEVER_EXPIRES, PAY_HOLD_MS, VALIDITY_MARGIN_MS } from '../src/books/index.js'
import { databaseNow, isSqlite } from '../src/db/sql.js'
import { isStopped } from '../src/users/stopped.js'

/**
 * Views for people, to read. No statement of the service reads them. A view knows no settings: its days are those of
 * Asia/Shanghai, whatever TIMEZONE says, and it names channel and template for the reader to choose.
 */
export async function up(db: Knex): Promise<void> {
  for (const [name, sql] of Object.entries(viewsOf(db))) {
    await db.raw(`DROP VIEW IF EXISTS ${name}`)
    await db.raw(`CREATE VIEW ${name} AS ${sql}`)
  }
}

export async function down(db: Knex): Promise<void> {
  for (const name of Object.keys(viewsOf(db))) await db.raw(`DROP VIEW IF EXISTS ${name}`)
}

function viewsOf(db: Knex): Record<string, string> {
  return {
    v_wx_today_run: todayRun(db),
    v_wx_due_now: dueNow(db),
    v_wx_followers_due_now: followersDueNow(db),
    v_wx_permits_by_day: permitsByDay(db),
    v_wx_counter_drift: counterDrift(),
  }
}

/** Today's run of each account, with the outcomes that are counted beside each message, so true while it runs too. */
function todayRun(db: Knex): string {
  const rest = 'r.due, r.skipped_signed_in, r.started_at, r.finished_at, r.updated_at'
  const outcomes = ['claimed', 'delivered', 'failed', 'unknown', 'waiting', 'cancelled'].map(
    (outcome) =>
      `CAST(SUM(CASE WHEN o.outcome = '${outcome}' THEN o.messages ELSE 0 END) AS SIGNED) AS ${outcome}`,
  )
  return `SELECT r.app_id, r.slot AS day, r.id AS run_id, r.state, r.reason, r.reason_zh, r.triggered_by,
       ${outcomes.join(', ')}, ${rest}
     FROM wx_job_run r LEFT JOIN wx_run_outcome o ON o.run_id = r.id
     WHERE r.job = 'remind' AND r.slot = ${dayOf(db, databaseNow(db))}
     GROUP BY r.app_id, r.slot, r.id, r.state, r.reason, r.reason_zh, r.triggered_by, ${rest}`
}

/**
 * The permits that a run would spend at this moment, one for each due user, channel and template. No GROUP BY, so that
 * a WHERE on account and user reads no other user.
 */
function dueNow(db: Knex): string {
  const now = databaseNow(db)
  const today = dayOf(db, now)
  const yesterday = dayOf(db, `${now} - 86400000`)
  const isUsable = (f: string) =>
    `${f}.status = 0 AND ${f}.expire > ${now} + ${VALIDITY_MARGIN_MS}
       AND (${f}.source <> 'pay' OR ${f}.created_at <= ${now} - ${PAY_HOLD_MS})`
  return `SELECT p.app_id, p.user_id, CASE WHEN f.source = 'subscribe' THEN 'subscribe' ELSE 'form_id' END AS channel,
       f.template_id, f.id AS permit_id, f.expire, p.count, p.last_date, COALESCE(y.streak, 0) AS streak
     FROM wx_message_push_status p
     JOIN wx_save_form_id f ON f.app_id = p.app_id AND f.user_id = p.user_id AND ${isUsable('f')}
     LEFT JOIN wx_sign_in y ON y.app_id = p.app_id AND y.user_id = p.user_id AND y.day = ${yesterday}
     WHERE p.count > 0 AND p.last_date < ${today}
       AND NOT EXISTS (SELECT 1 FROM wx_sign_in s
         WHERE s.app_id = p.app_id AND s.user_id = p.user_id AND s.day = ${today})
       AND NOT EXISTS (SELECT 1 FROM wx_user u
         WHERE u.app_id = p.app_id AND u.user_id = p.user_id AND ${isStopped('u', 'f.template_id')})
       AND NOT EXISTS (SELECT 1 FROM wx_push_message m
         WHERE m.app_id = p.app_id AND m.business_date = ${today} AND m.user_id = p.user_id)
       AND NOT EXISTS (SELECT 1 FROM wx_save_form_id o
         WHERE o.app_id = f.app_id AND o.user_id = f.user_id AND ${isUsable('o')}
           AND (o.source = 'subscribe') = (f.source = 'subscribe')
           AND (f.source <> 'subscribe' OR o.template_id = f.template_id)
           AND (o.expire < f.expire OR o.expire = f.expire AND o.id < f.id))`
}

/**
 * Of service accounts, whose messages need no permit: everybody whose open_id is known and whom a run would remind at this
 * moment. A view does not know which accounts those are: the reader names them.
 */
function followersDueNow(db: Knex): string {
  const now = databaseNow(db)
  const today = dayOf(db, now)
  return `SELECT p.app_id, p.user_id, w.open_id, p.last_date, COALESCE(y.streak, 0) AS streak
     FROM wx_message_push_status p
     JOIN wx_user w ON w.app_id = p.app_id AND w.user_id = p.user_id
     LEFT JOIN wx_sign_in y
       ON y.app_id = p.app_id AND y.user_id = p.user_id AND y.day = ${dayOf(db, `${now} - 86400000`)}
     WHERE p.last_date < ${today}
       AND NOT EXISTS (SELECT 1 FROM wx_sign_in s
         WHERE s.app_id = p.app_id AND s.user_id = p.user_id AND s.day = ${today})
       AND NOT EXISTS (SELECT 1 FROM wx_user u WHERE u.app_id = p.app_id AND u.user_id = p.user_id
         AND (u.opted_out_at IS NOT NULL OR u.blocked_at IS NOT NULL
           OR u.created_at > w.created_at OR u.created_at = w.created_at AND u.open_id < w.open_id))
       AND NOT EXISTS (SELECT 1 FROM wx_push_message m
         WHERE m.app_id = p.app_id AND m.business_date = ${today} AND m.user_id = p.user_id)`
}

/** Unspent permits by the day on which they run out; NULL: never. A day that is over: the next sweep takes them. */
function permitsByDay(db: Knex): string {
  return `SELECT app_id, CASE WHEN expire >= ${NEVER_EXPIRES} THEN NULL ELSE ${dayOf(db, 'expire')} END AS day, source,
       template_id, COUNT(*) AS permits, COUNT(DISTINCT user_id) AS users
     FROM wx_save_form_id WHERE status = 0 GROUP BY app_id, day, source, template_id`
}

/** Users whose counter is not the number of their unspent permits; a counter that is not there is NULL. */
function counterDrift(): string {
  return `SELECT app_id, user_id, MAX(count) AS count, CAST(SUM(permit) AS SIGNED) AS permits FROM (
       SELECT app_id, user_id, count, 0 AS permit FROM wx_message_push_status
       UNION ALL SELECT app_id, user_id, NULL, 1 FROM wx_save_form_id WHERE status = 0) AS both_sides
     GROUP BY app_id, user_id HAVING COALESCE(MAX(count), -1) <> SUM(permit)`
}

/** YYYYMMDD of a time in ms in Asia/Shanghai: without summer time since 1991, eight hours ahead. */
function dayOf(db: Knex, ms: string): string {
  return isSqlite(db)
    ? `CAST(strftime('%Y%m%d', (${ms}) / 1000, 'unixepoch', '+8 hours') AS INTEGER)`
    : `CAST(DATE_FORMAT(DATE_ADD('1970-01-01 08:00:00', INTERVAL (${ms}) DIV 1000 SECOND), '%Y%m%d') AS SIGNED)`
}
