import type { Knex } from 'knex'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Account } from '../../src/account.js'
import { NEVER_EXPIRES, voidRefused } from '../../src/books/index.js'
import { acceptPush } from '../../src/callbacks/accept.js'
import { createCallbackWorker } from '../../src/callbacks/process.js'
import { findActions } from '../../src/dashboard/action-store.js'
import { execute, isSqlite, MAX_LIST } from '../../src/db/sql.js'
import { readPermits } from '../../src/metrics/permits.js'
import { readStanding } from '../../src/metrics/standing.js'
import { createCounterCheck } from '../../src/operations/counter-check.js'
import type { UploadedPermit } from '../../src/permits/accept.js'
import { expireStale } from '../../src/permits/expire.js'
import { findBalance } from '../../src/permits/find-balance.js'
import { createIngest } from '../../src/permits/ingest.js'
import { findEntries } from '../../src/permits/store.js'
import { countUnspent } from '../../src/permits/subscription-store.js'
import { explainUser } from '../../src/reminders/explain.js'
import { retryFailed } from '../../src/reminders/retry.js'
import { findRunStatus, listRuns } from '../../src/reminders/status.js'
import { findShareRead } from '../../src/reminders/status-store.js'
import { findOldRuns, readAged, readMessages, readRuns } from '../../src/retention/store.js'
import { recordSignIn } from '../../src/sign-ins/sign-in.js'
import { findBridge } from '../../src/summaries/bridge.js'
import { bringBackNamed } from '../../src/users/bring-back.js'
import { openAllFollowers } from '../../src/users/followers.js'
import { rebindUser } from '../../src/users/rebind.js'
import { userIdsOf } from '../../src/users/user-ids.js'
import { ACCEPTED } from '../helpers/answers.js'
import { DAY_MS, HOUR_MS, NOW, SEND_PATH, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { analyze, fillTable } from '../helpers/fill.js'
import { type Access, explain, longest, on, type Statement, sorted } from '../helpers/plans.js'
import { openPool, recordQueries, silentLog } from '../helpers/rows.js'
import { openMeter } from '../helpers/rows-read.js'
import { useWorld, type World } from '../helpers/world.js'

/**
 * The plans of the statements that the running code sends, on tables so large that reading one in full would be the
 * better plan if there were no index for it.
 */
const USERS = 20_000
const YESTERDAY = 20_261_119

/** The rows of the two public tables lie by user on MySQL, and by id on SQLite. */
const COUNTERS = { mysql: 'PRIMARY', sqlite: 'wx_message_push_status_user_uq' }
const PERMIT_ID = { mysql: 'wx_save_form_id_id_uq', sqlite: 'PRIMARY' }
const PERMITS = { mysql: 'PRIMARY', sqlite: 'wx_save_form_id_oldest_idx' }

/** Some of them; `accesses` in any order. */
const HOT: {
  name: string
  sql: RegExp
  accesses: Access[]
  /** What else SQLite shows. */
  onSqlite?: Access[]
  /**
   * The most rows and index entries that MySQL may read: a claim here is of 300 users, a step of the sweep of 999 rows.
   */
  reads?: number
}[] = [
  {
    name: 'newest runs of the metrics',
    sql: /SELECT id, slot, state, started_at, finished_at FROM wx_job_run/,
    reads: 40,
    accesses: [{ table: 'wx_job_run', key: 'wx_job_run_slot_uq', by: ['job', 'app_id'] }],
  },
  {
    name: 'stock of permits of the metrics',
    sql: /SELECT source, days_left, SUM\(permits\)/,
    accesses: [{ table: 'wx_permit_stock', key: 'PRIMARY', by: ['app_id'] }],
  },
  {
    name: 'newest day of the metrics',
    sql: /SELECT granted_form, granted_pay, granted_subscribe, spent, expired FROM wx_day_summary/,
    accesses: [{ table: 'wx_day_summary', key: 'PRIMARY', by: ['app_id'] }],
  },
  {
    name: 'claims of the metrics',
    sql: /SELECT lease_until <= .* AS lapsed FROM wx_claim/,
    accesses: [{ table: 'wx_claim', key: 'wx_claim_lease_idx', by: ['app_id'] }],
  },
  {
    name: 'end of a page of the check of counters',
    sql: /UNION ALL SELECT \* FROM \(SELECT user_id FROM wx_save_form_id/,
    reads: 12_000,
    accesses: [
      { table: 'wx_message_push_status', key: COUNTERS, by: ['app_id', 'user_id'] },
      { table: 'wx_save_form_id', key: PERMITS, by: ['app_id', 'user_id'] },
    ],
  },
  {
    name: 'wrong counters of a page',
    sql: /SELECT user_id FROM \(\s*SELECT user_id, count, 0 AS permit .* user_id > \?/,
    reads: 25_000,
    accesses: [
      { table: 'wx_message_push_status', key: COUNTERS, by: ['app_id', 'user_id'] },
      { table: 'wx_save_form_id', key: PERMITS, by: ['app_id', 'user_id'] },
    ],
  },
  {
    name: 'how far a claim may look',
    sql: /SELECT user_id FROM wx_message_push_status WHERE app_id = \? AND user_id > \?/,
    reads: 1_200,
    accesses: [
      {
        table: 'wx_message_push_status',
        key: COUNTERS,
        by: ['app_id', 'user_id'],
      },
    ],
  },
  {
    name: 'the next edge of the ranges',
    sql: /SELECT user_id FROM wx_message_push_status WHERE app_id = \? AND user_id > \?\s+ORDER BY user_id LIMIT \? OFFSET \?/,
    accesses: [
      {
        table: 'wx_message_push_status',
        key: COUNTERS,
        by: ['app_id', 'user_id'],
      },
    ],
  },
  {
    name: 'lock of the runs of what is settled',
    sql: /SELECT id, state FROM wx_job_run WHERE id IN/,
    accesses: [{ table: 'wx_job_run', key: 'PRIMARY' }],
  },
  {
    name: 'totals of a run that ends',
    sql: /SELECT outcome, SUM\(messages\) AS messages FROM wx_run_outcome/,
    accesses: [
      {
        table: 'wx_run_outcome',
        key: 'PRIMARY',
        by: ['run_id'],
      },
    ],
  },
  {
    name: 'messages of the claim',
    sql: /INSERT INTO wx_push_message [^;]*LEFT JOIN wx_sign_in/,
    reads: 5_000,
    accesses: [
      { table: 'p', key: COUNTERS, by: ['app_id', 'user_id'] },
      { table: 's', key: 'PRIMARY', by: ['app_id', 'user_id', 'day'] },
      { table: 'y', key: 'PRIMARY', by: ['app_id', 'user_id', 'day'] },
      { table: 'u', key: 'wx_user_user_idx', by: ['app_id', 'user_id'] },
      { table: 'f', key: 'wx_save_form_id_oldest_idx', by: ['app_id', 'user_id'] },
    ],
    onSqlite: [{ table: 'o', key: 'PRIMARY', by: ['id'] }],
  },
  {
    name: 'messages of a claim of followers',
    sql: /INSERT INTO wx_push_message [^;]*updated_at, open_id\)/,
    reads: 5_000,
    accesses: [
      { table: 'p', key: COUNTERS, by: ['app_id', 'user_id'] },
      { table: 's', key: 'PRIMARY', by: ['app_id', 'user_id', 'day'] },
      { table: 'y', key: 'PRIMARY', by: ['app_id', 'user_id', 'day'] },
      { table: 'u', key: 'wx_user_user_idx', by: ['app_id', 'user_id'] },
      { table: 'w', key: 'wx_user_user_idx', by: ['app_id', 'user_id'] },
    ],
    onSqlite: [{ table: 'o', key: 'PRIMARY', by: ['app_id', 'open_id'] }],
  },
  {
    name: 'lock of the counters of followers',
    sql: /m\.open_id, NULL AS permit_id/,
    accesses: [
      { table: 'm', key: 'wx_push_message_claim_idx', by: ['claim_id'] },
      { table: 'p', key: COUNTERS, by: ['app_id', 'user_id'] },
    ],
  },
  {
    name: 'followers without a counter',
    sql: /SELECT DISTINCT w\.user_id FROM wx_user w/,
    reads: 5_000,
    accesses: [
      { table: 'w', key: 'wx_user_user_idx', by: ['app_id', 'user_id'] },
      { table: 'p', key: COUNTERS, by: ['app_id', 'user_id'] },
    ],
  },
  {
    name: 'end of a page of followers',
    sql: /SELECT user_id FROM wx_user WHERE app_id = \? AND user_id > \?/,
    reads: 2_010,
    accesses: [{ table: 'wx_user', key: 'wx_user_user_idx', by: ['app_id', 'user_id'] }],
  },
  {
    name: 'reminders that a report to a follower may be about',
    sql: /FROM wx_user w [^;]*m\.business_date IN/,
    reads: 20,
    accesses: [
      { table: 'w', key: 'PRIMARY', by: ['app_id', 'open_id'] },
      { table: 'm', key: 'wx_push_message_reminder_uq', by: ['app_id', 'business_date', 'user_id'] },
      { table: 'c', key: 'PRIMARY', by: ['id'] },
    ],
  },
  {
    name: 'other messages that a report to a follower may be about',
    sql: /FROM wx_user w [^;]*m\.business_date IS NULL/,
    reads: 20,
    accesses: [
      { table: 'w', key: 'PRIMARY', by: ['app_id', 'open_id'] },
      { table: 'm', key: 'wx_push_message_reminder_uq', by: ['app_id', 'business_date', 'user_id'] },
      { table: 'c', key: 'PRIMARY', by: ['id'] },
    ],
  },
  {
    name: 'followers whom the run has left',
    sql: /THEN NULL ELSE 'due' END END AS standing/,
    accesses: [
      { table: 'p', key: COUNTERS, by: ['app_id', 'user_id'] },
      { table: 's', key: 'PRIMARY' },
      { table: 'u', key: 'wx_user_user_idx' },
      { table: 'w', key: 'wx_user_user_idx' },
      { table: 'm', key: 'wx_push_message_reminder_uq' },
    ],
  },
  {
    name: 'users whom the run has left',
    sql: /THEN 'no_valid_permit' ELSE 'due' END END AS standing/,
    accesses: [
      { table: 'p', key: COUNTERS, by: ['app_id', 'user_id'] },
      { table: 'p', key: COUNTERS, by: ['app_id', 'user_id'] },
      { table: 's', key: 'PRIMARY' },
      { table: 'u', key: 'wx_user_user_idx' },
      { table: 'm', key: 'wx_push_message_reminder_uq' },
      { table: 'f', key: 'wx_save_form_id_oldest_idx', by: ['app_id', 'user_id'] },
    ],
  },
  {
    name: 'permits that explain a reminder',
    sql: /m\.created_at AS spent_at/,
    reads: 50,
    accesses: [
      { table: 'f', key: 'wx_save_form_id_oldest_idx', by: ['app_id', 'user_id'] },
      { table: 'm', key: 'PRIMARY', by: ['id'] },
    ],
  },
  {
    name: 'a reminder that was given back',
    sql: /SELECT settled_at AS at, errcode/,
    reads: 5,
    accesses: [
      {
        table: 'wx_push_message',
        key: 'wx_push_message_reminder_uq',
        by: ['app_id', 'business_date', 'user_id'],
      },
    ],
  },
  {
    name: 'stops of a user that are over',
    sql: /SELECT kind, errcode, began_at, ended_at FROM wx_stop_history/,
    reads: 5,
    accesses: [
      { table: 'wx_stop_history', key: 'wx_stop_history_user_idx', by: ['app_id', 'user_id', 'ended_at'] },
    ],
  },
  {
    name: 'the range of a run that has a user',
    sql: /SELECT cur, again FROM wx_job_cursor/,
    reads: 10,
    accesses: [{ table: 'wx_job_cursor', key: 'PRIMARY', by: ['run_id'] }],
  },
  {
    name: 'what a run was sent with',
    sql: /SELECT c\.channel, c\.template_id/,
    reads: 10,
    accesses: [
      { table: 'wx_push_message', key: 'wx_push_message_run_idx', by: ['run_id'] },
      { table: 'c', key: 'PRIMARY', by: ['id'] },
    ],
  },
  {
    name: 'lock of what the messages spend',
    sql: /SELECT m\.id AS message_id, m\.user_id, f\.open_id/,
    accesses: [
      { table: 'm', key: 'wx_push_message_claim_idx', by: ['claim_id'] },
      { table: 'f', key: PERMIT_ID, by: ['id'] },
      { table: 'p', key: COUNTERS, by: ['app_id', 'user_id'] },
    ],
  },
  {
    name: 'spending of permits',
    sql: /^UPDATE (wx_save_form_id AS t|wx_push_message m .* wx_save_form_id t)/s,
    accesses: [
      { table: 'm', key: 'wx_push_message_claim_idx', by: ['claim_id'] },
      { table: 't', key: PERMIT_ID, by: ['id'] },
    ],
  },
  {
    name: 'counting down of claimed users',
    sql: /^UPDATE (wx_message_push_status AS t|wx_push_message m .* wx_message_push_status t)/s,
    accesses: [
      { table: 'm', key: 'wx_push_message_claim_idx', by: ['claim_id'] },
      { table: 't', key: COUNTERS, by: ['app_id', 'user_id'] },
    ],
  },
  {
    name: 'a free range of the run',
    sql: /SELECT range_no, cur, hi FROM wx_job_cursor/,
    accesses: [{ table: 'wx_job_cursor', key: 'PRIMARY' }],
  },
  {
    name: 'whom a claim has passed over',
    sql: /AS kind, COUNT.* UNION ALL/s,
    reads: 3_000,
    accesses: [
      { table: 'p', key: COUNTERS, by: ['app_id', 'user_id'] },
      { table: 'u', key: 'wx_user_user_idx', by: ['app_id', 'user_id'] },
      { table: 's', key: 'PRIMARY', by: ['app_id', 'user_id', 'day'] },
      { table: 's', key: 'wx_sign_in_day_idx', by: ['app_id', 'day', 'user_id'] },
    ],
  },
  {
    name: 'whether a claim has passed over anybody',
    sql: /SELECT 1 FROM wx_message_push_status p/,
    reads: 1_200,
    accesses: [{ table: 'p', key: COUNTERS, by: ['app_id', 'user_id'] }],
  },
  {
    name: 'moving of the cursor',
    sql: /UPDATE wx_job_cursor SET counted_to = CASE/,
    accesses: [{ table: 'wx_job_cursor', key: 'PRIMARY' }],
  },
  {
    name: 'how far a step of the sweep may look',
    sql: /SELECT expire, id FROM wx_save_form_id .* LIMIT 1 OFFSET/s,
    reads: 2_100,
    accesses: [{ table: 'wx_save_form_id', key: 'wx_save_form_id_stale_idx', by: ['app_id', 'expire'] }],
  },
  {
    name: 'whose permits a step of the sweep would look at',
    sql: /SELECT expire, id, user_id FROM wx_save_form_id\b.* LIMIT \d+$/s,
    reads: 2_100,
    accesses: [{ table: 'wx_save_form_id', key: 'wx_save_form_id_stale_idx', by: ['app_id', 'expire'] }],
  },
  {
    name: 'stale permits of the sweep',
    sql: /SELECT expire, id, user_id FROM wx_save_form_id\b.* AND status = 0/s,
    reads: 2_100,
    accesses: [{ table: 'wx_save_form_id', key: 'wx_save_form_id_stale_idx', by: ['app_id', 'expire'] }],
  },
  {
    name: 'users who have lost a permit to the sweep before',
    sql: /SELECT DISTINCT user_id FROM wx_save_form_id/,
    reads: 3_100,
    accesses: [{ table: 'wx_save_form_id', key: PERMITS, by: ['app_id', 'user_id', 'expire'] }],
  },
  {
    name: 'lock of stale permits',
    sql: /SELECT id, user_id FROM wx_save_form_id\b.* AND user_id IN/s,
    reads: 2_000,
    accesses: [{ table: 'wx_save_form_id', key: PERMITS, by: ['app_id', 'user_id', 'expire'] }],
  },
  {
    name: 'stale permits that expire',
    sql: /UPDATE wx_save_form_id\b.* SET status = 2/s,
    reads: 2_000,
    accesses: [{ table: 'wx_save_form_id', key: PERMITS, by: ['app_id', 'user_id', 'expire'] }],
  },
  {
    name: 'lock of counters',
    sql: /SELECT user_id FROM wx_message_push_status WHERE app_id = \? AND user_id IN/,
    reads: 999,
    accesses: [{ table: 'wx_message_push_status', key: COUNTERS }],
  },
  {
    name: 'counting down of users whose permits ran out',
    sql: /UPDATE wx_message_push_status SET count = CASE WHEN count > \? THEN count - \?/,
    reads: 999,
    accesses: [{ table: 'wx_message_push_status', key: COUNTERS }],
  },
  {
    name: 'next oldest permit',
    sql: /SELECT p\.user_id, \(SELECT f\.id FROM wx_save_form_id f[^;]*p\.user_id IN/,
    reads: 20,
    accesses: [
      { table: 'p', key: COUNTERS },
      { table: 'f', key: 'wx_save_form_id_oldest_idx' },
    ],
  },
  {
    name: 'the newest runs',
    sql: /FROM wx_job_run WHERE job = 'remind' AND app_id = \? AND slot < \?/,
    reads: 100,
    accesses: [{ table: 'wx_job_run', key: 'wx_job_run_slot_uq', by: ['job', 'app_id', 'slot'] }],
  },
  {
    name: 'outcomes of runs',
    sql: /FROM wx_run_outcome WHERE run_id IN/,
    accesses: [{ table: 'wx_run_outcome', key: 'PRIMARY', by: ['run_id'] }],
  },
  {
    name: 'the first and the last user',
    sql: /SELECT user_id FROM wx_message_push_status WHERE app_id = \? ORDER BY user_id (ASC|DESC) LIMIT 1/,
    reads: 10,
    accesses: [{ table: 'wx_message_push_status', key: COUNTERS, by: ['app_id'] }],
  },
  {
    name: 'where a page of the messages of a run ends',
    sql: /SELECT id FROM wx_push_message.*\s+WHERE run_id = \? AND id > \? ORDER BY id LIMIT 1 OFFSET/,
    accesses: [{ table: 'wx_push_message', key: 'wx_push_message_run_idx', by: ['run_id'] }],
  },
  {
    name: 'failed messages of a run',
    sql: /SELECT m\.id, m\.user_id, m\.errcode, c\.template_id/,
    accesses: [
      { table: 'm', key: 'wx_push_message_run_idx', by: ['run_id'] },
      { table: 'c', key: 'PRIMARY' },
    ],
  },
  {
    name: 'whom the run would remind again',
    sql: /THEN 'without_permit' ELSE 'due' END AS prospect/,
    accesses: [
      { table: 'p', key: COUNTERS, by: ['app_id', 'user_id'] },
      { table: 's', key: 'PRIMARY' },
      { table: 'u', key: 'wx_user_user_idx' },
      { table: 'f', key: 'wx_save_form_id_oldest_idx', by: ['app_id', 'user_id'] },
    ],
  },
  {
    name: 'claims whose lease lapsed',
    sql: /SELECT id, quota_path, quota_since FROM wx_claim\s+WHERE app_id = \? AND kind = \? AND lease_until </,
    accesses: [{ table: 'wx_claim', key: 'wx_claim_lease_idx', by: ['app_id', 'kind', 'lease_until'] }],
  },
  {
    name: 'messages of a lapsed claim',
    sql: /SELECT id, state FROM wx_push_message.*\s+WHERE claim_id = \? AND state IN/,
    accesses: [{ table: 'wx_push_message', key: 'wx_push_message_claim_idx', by: ['claim_id'] }],
  },
  {
    name: 'messages whose retry is due',
    sql: /SELECT message_id FROM wx_message_retry\s+WHERE app_id = \? AND kind = 'reminder' AND next_attempt_at <=/,
    accesses: [
      {
        table: 'wx_message_retry',
        key: 'wx_message_retry_due_idx',
        by: ['app_id', 'kind', 'next_attempt_at'],
      },
    ],
  },
  {
    name: 'messages still held',
    sql: /SELECT 1 FROM wx_claim c/,
    accesses: [
      { table: 'c', key: 'wx_claim_lease_idx', by: ['app_id'] },
      { table: 'm', key: 'wx_push_message_claim_idx', by: ['claim_id'] },
    ],
  },
  {
    name: 'the next retry',
    sql: /SELECT next_attempt_at FROM wx_message_retry/,
    accesses: [{ table: 'wx_message_retry', key: 'wx_message_retry_due_idx', by: ['app_id'] }],
  },
  {
    name: 'taking over',
    sql: /UPDATE wx_push_message SET claim_id = \?/,
    accesses: [{ table: 'wx_push_message', key: 'PRIMARY' }],
  },
  {
    name: 'settling',
    sql: /UPDATE wx_push_message .*SET state = \?, attempts = attempts \+ \?/,
    accesses: [{ table: 'wx_push_message', key: 'PRIMARY' }],
  },
  {
    name: 'giving back',
    sql: /UPDATE wx_message_push_status\s+SET count = count \+ \?, last_date = CASE/,
    accesses: [{ table: 'wx_message_push_status', key: COUNTERS }],
  },
  {
    name: 'persons, owners and counters of uploads',
    sql: /SELECT RTRIM\(open_id\) AS open_id, NULL AS form_id/,
    accesses: [
      { table: 'wx_user', key: 'PRIMARY' },
      { table: 'wx_save_form_id', key: 'wx_save_form_id_permit_uq' },
      { table: 'wx_message_push_status', key: COUNTERS, by: ['app_id', 'user_id'] },
    ],
  },
  {
    name: 'users of uploaded open_ids',
    sql: /SELECT RTRIM\(open_id\) AS open_id, user_id FROM wx_user/,
    accesses: [{ table: 'wx_user', key: 'PRIMARY' }],
  },
  {
    name: 'counters of uploaded users',
    sql: /SELECT user_id, count FROM wx_message_push_status/,
    reads: 900,
    accesses: [
      {
        table: 'wx_message_push_status',
        key: COUNTERS,
        by: ['app_id', 'user_id'],
      },
    ],
  },
  {
    name: 'permits of one user',
    sql: /SELECT f\.expire FROM wx_save_form_id f/,
    accesses: [{ table: 'f', key: PERMITS, by: ['app_id', 'user_id', 'expire'] }],
  },
  {
    name: 'unspent subscriptions of one user',
    sql: /SELECT f\.template_id, COUNT\(\*\) AS permits/,
    accesses: [{ table: 'f', key: PERMITS, by: ['app_id', 'user_id', 'expire'] }],
  },
  {
    name: 'sides of the users of a page',
    sql: /SELECT form_now, subscribe_now/,
    accesses: [
      { table: 'p', key: COUNTERS, by: ['app_id', 'user_id'] },
      { table: 'f', key: 'wx_save_form_id_oldest_idx', by: ['app_id', 'user_id'] },
      { table: 'u', key: 'wx_user_user_idx' },
      { table: 's', key: 'PRIMARY', by: ['app_id', 'user_id', 'day'] },
      { table: 'm', key: 'wx_push_message_reminder_uq' },
    ],
  },
  {
    name: 'stops of one user',
    sql: /SELECT opted_out_at, blocked_at, stop_errcode, stop_template_id FROM wx_user/,
    accesses: [{ table: 'wx_user', key: 'wx_user_user_idx' }],
  },
  {
    name: 'refusals of a template that left no stop',
    sql: /SELECT 1 FROM wx_save_form_id f JOIN wx_push_message m ON m\.id = f\.message_id/,
    accesses: [
      { table: 'f', key: 'wx_save_form_id_tap_idx', by: ['app_id', 'open_id', 'template_id'] },
      { table: 'm', key: 'PRIMARY' },
    ],
  },
  {
    name: 'unspent subscriptions of a person to a template',
    sql: /SELECT COUNT\(\*\) AS permits FROM wx_save_form_id.*\s+WHERE app_id = \? AND open_id = \?/,
    accesses: [
      { table: 'wx_save_form_id', key: 'wx_save_form_id_tap_idx', by: ['app_id', 'open_id', 'template_id'] },
    ],
  },
  {
    name: 'permits that refusals void',
    sql: /SELECT f\.id, f\.user_id, f\.app_id, m\.id AS message_id/,
    accesses: [
      { table: 'm', key: 'PRIMARY' },
      { table: 's', key: PERMIT_ID },
      { table: 'f', key: 'wx_save_form_id_tap_idx', by: ['app_id', 'open_id', 'template_id'] },
      { table: 'p', key: COUNTERS, by: ['app_id', 'user_id'] },
    ],
  },
  {
    name: 'subscriptions that a refusal voided, of a user who is brought back',
    sql: /SELECT f\.id FROM \(SELECT app_id, open_id, user_id FROM wx_user/,
    // SQLite goes from the user's permits to their givers, MySQL the other way.
    accesses: [
      { table: 'wx_user', key: 'wx_user_user_idx', or: 'PRIMARY' },
      { table: 'f', key: 'wx_save_form_id_tap_idx', or: 'wx_save_form_id_oldest_idx' },
      { table: 'later', key: 'wx_save_form_id_tap_idx', by: ['app_id', 'open_id', 'template_id'] },
    ],
  },
  {
    name: 'permits that an open_id gave for a user',
    sql: /SELECT id FROM wx_save_form_id WHERE app_id = \? AND user_id = \? AND open_id = \?/,
    // A person's and a user's permits are as many.
    accesses: [{ table: 'wx_save_form_id', key: PERMITS, or: 'wx_save_form_id_tap_idx' }],
  },
  {
    name: 'whether a push was accepted before',
    sql: /SELECT content FROM wx_callback_nonce/,
    accesses: [{ table: 'wx_callback_nonce', key: 'wx_callback_nonce_mark_uq' }],
  },
  {
    name: 'events that are known',
    sql: /SELECT event_key FROM wx_callback_event/,
    accesses: [{ table: 'wx_callback_event', key: 'wx_callback_event_key_uq' }],
  },
  {
    name: 'events to be worked off',
    sql: /SELECT id FROM wx_callback_event\s[^;]*next_attempt_at/,
    accesses: [{ table: 'wx_callback_event', key: 'wx_callback_event_due_idx' }],
  },
  {
    name: 'newer events of a person',
    sql: /SELECT 1 FROM wx_callback_event/,
    accesses: [{ table: 'wx_callback_event', key: 'wx_callback_event_person_idx' }],
  },
  {
    name: 'messages that a delivery event may be about',
    sql: /JOIN wx_card c ON c\.id = m\.card_id\s+WHERE f\.app_id = \? AND f\.open_id = \?/,
    accesses: [
      { table: 'f', key: 'wx_save_form_id_tap_idx', by: ['app_id', 'open_id'] },
      { table: 'm', key: 'PRIMARY', by: ['id'] },
      { table: 'c', key: 'PRIMARY', by: ['id'] },
    ],
  },
  {
    name: 'the other report of a tap',
    sql: /SELECT id FROM wx_save_form_id\s.* AND tapped_at BETWEEN/s,
    accesses: [
      {
        table: 'wx_save_form_id',
        key: 'wx_save_form_id_tap_idx',
        by: ['app_id', 'open_id', 'template_id', 'tapped_at'],
      },
    ],
  },
  {
    name: 'subscriptions that a refusal voids',
    sql: /SELECT id FROM wx_save_form_id\s.* AND tapped_at <=/s,
    accesses: [{ table: 'wx_save_form_id', key: 'wx_save_form_id_tap_idx', or: 'PRIMARY' }],
  },
  {
    name: 'messages for the purge',
    sql: /SELECT id, created_at, CASE WHEN app_id = \? AND settled_at/,
    accesses: [{ table: 'wx_push_message', key: 'wx_push_message_run_idx', by: ['run_id'] }],
  },
  {
    name: 'old runs whose messages are purged',
    sql: /SELECT id, slot FROM wx_job_run/,
    accesses: [{ table: 'wx_job_run', key: 'wx_job_run_slot_uq', by: ['job', 'app_id'] }],
  },
  {
    name: 'runs for the purge',
    sql: /SELECT r\.id, r\.started_at/,
    accesses: [
      { table: 'r', key: 'wx_job_run_app_idx', by: ['app_id'] },
      { table: 'm', key: 'wx_push_message_run_idx' },
    ],
  },
  {
    name: 'newest actions of operators',
    sql: /FROM wx_operator_action\s+WHERE app_id = \? ORDER BY at DESC/,
    reads: 60,
    accesses: [{ table: 'wx_operator_action', key: 'wx_operator_action_at_idx', by: ['app_id'] }],
  },
  {
    name: 'actions for the purge',
    sql: /SELECT id FROM wx_operator_action WHERE app_id = \? AND at </,
    accesses: [{ table: 'wx_operator_action', key: 'wx_operator_action_at_idx', by: ['app_id', 'at'] }],
  },
  {
    name: 'events for the purge',
    sql: /SELECT id FROM wx_callback_event WHERE app_id = \? AND received_at </,
    accesses: [
      { table: 'wx_callback_event', key: 'wx_callback_event_received_idx', by: ['app_id', 'received_at'] },
    ],
  },
  {
    name: 'days from a sign-in on',
    sql: /SELECT day, streak FROM wx_sign_in/,
    accesses: [{ table: 'wx_sign_in', key: 'PRIMARY' }],
  },
]

/** An upload's look for locks. What it reads beside the rows of the upload may be locked by others. */
const LOOK: Access[] = [
  { table: 'wx_user', key: 'PRIMARY', by: ['app_id', 'open_id'] },
  { table: 'wx_save_form_id', key: 'wx_save_form_id_permit_uq', by: ['app_id', 'form_id', 'use_no'] },
  {
    table: 'wx_message_push_status',
    key: COUNTERS.mysql,
    by: ['app_id', 'user_id'],
  },
]

/** Once a run: it reads every message of the run. */
const REPORTS = [/SELECT state, COUNT\(\*\) AS messages/]

describe.each(dialects)('hot statements on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'its rows' })
  const { db } = world
  const hotHere = HOT.map(({ accesses, onSqlite = [], ...hot }) => ({
    ...hot,
    accesses: on(dialect, dialect === 'sqlite' ? [...accesses, ...onSqlite] : accesses),
  }))
  let statements: Statement[]

  beforeAll(async () => {
    await fill(db, world.account.appId)
    statements = await runEverything(world)
  })

  test.each(hotHere)('$name', async ({ sql, accesses }) => {
    const statement = longest(statements.filter((each) => sql.test(each.sql)))
    const plan = await explain(db, statement)
    const named = plan.map((access) => ({
      ...access,
      key: accesses.find(({ or }) => or === access.key && or !== undefined)?.key ?? access.key,
    }))
    expect(sorted(named)).toEqual(sorted(accesses))
    for (const { table, by = [] } of accesses)
      for (const access of plan.filter((one) => one.table === table))
        expect(access.by).toEqual(expect.arrayContaining(by))
  })

  // A plan may name the right key and still read by half of it.
  if (dialect === 'mysql')
    test.each(hotHere.filter(({ reads }) => reads !== undefined))(
      '$name: at most $reads rows and index entries',
      async ({ sql, reads }) => {
        const { sql: text, bindings } = longest(statements.filter((each) => sql.test(each.sql)))
        const meter = openMeter(world.database)
        try {
          await meter.db.raw('BEGIN')
          const work = () => Promise.resolve(meter.db.raw(text, bindings as Knex.RawBinding[]))
          const read = await meter.rowsRead(work)
          await meter.db.raw('ROLLBACK')
          expect(read).toBeGreaterThan(0)
          expect(read).toBeLessThanOrEqual(reads ?? 0)
        } finally {
          await meter.close()
        }
      },
    )

  test('no statement of a run, a sweep or an upload reads a table in full, hot or not', async () => {
    const texts = new Map(
      statements.map((statement) => [statement.sql.replace(/(\?,\s*)+\?/g, '?'), statement]),
    )
    const full: string[] = []
    for (const statement of texts.values()) {
      if (REPORTS.some((report) => report.test(statement.sql))) continue
      const accesses = await explain(db, statement)
      if (accesses.some(({ key }) => key === undefined)) full.push(statement.sql)
    }
    expect(full).toEqual([])
    expect(texts.size).toBeGreaterThan(25)
  })

  test('messages of the claim are found the same way while nobody has signed in, was stopped or reminded', async () => {
    const hot = hotHere.find(({ name }) => name === 'messages of the claim')
    const statement = statements.find(({ sql }) => hot?.sql.test(sql))
    if (!hot || !statement) throw new Error('There is no claim')
    const pool = openPool(world.database)
    try {
      for (const table of ['wx_sign_in', 'wx_user', 'wx_push_message']) {
        await pool(table).delete()
        if (dialect === 'mysql') await pool.raw(`ANALYZE TABLE ${table}`)
        expect(sorted(await explain(pool, statement))).toEqual(sorted(hot.accesses))
      }
    } finally {
      await pool.destroy()
    }
  })

  test.each([
    ['stale permits of the sweep', 'wx_save_form_id_stale_idx', 'wx_save_form_id'],
    ['next oldest permit', 'wx_save_form_id_oldest_idx', 'wx_save_form_id'],
    ['persons, owners and counters of uploads', 'wx_save_form_id_permit_uq', 'wx_save_form_id'],
    ['events to be worked off', 'wx_callback_event_due_idx', 'wx_callback_event'],
    ['messages of a lapsed claim', 'wx_push_message_claim_idx', 'wx_push_message'],
  ])('%s are found another way without %s, which this test would see', async (name, index, table) => {
    const hot = hotHere.find((one) => one.name === name)
    const statement = statements.find(({ sql }) => hot?.sql.test(sql))
    if (!hot || !statement) throw new Error(`${name} is not among the statements`)
    // A pool of its own: the driver leaves each EXPLAIN on SQLite open, and a table in use keeps its indexes.
    const pool = openPool(world.database)
    try {
      await pool.raw(`DROP INDEX ${index}${isSqlite(db) ? '' : ` ON ${table}`}`)
      // MySQL refuses a statement that forces an index which is not there.
      const accesses = await explain(pool, statement).catch(() => [])
      expect(sorted(accesses)).not.toEqual(sorted(hot.accesses))
    } finally {
      await pool.destroy()
    }
  })
})

describe('the look for locks of an upload on mysql', { tags: ['mysql'] }, () => {
  const world = useWorld('mysql', { leaves: 'its rows' })

  async function planOfLook(uploads: UploadedPermit[]): Promise<Access[]> {
    const ingest = createIngest(world.db)
    const queries = recordQueries(world.db)
    // Found to be repeated, and from then on their owners are looked for too.
    for (let times = 0; times < 3; times++) await ingest.upload(uploads, NOW)
    const looks = queries.filter(({ sql }) => sql.includes('NOWAIT'))
    const [first] = looks
    const again = looks.at(-1)
    if (!first || !again) throw new Error('There was no look')
    expect(await explain(world.db, first)).toEqual(LOOK.filter(({ table }) => table !== 'wx_save_form_id'))
    return explain(world.db, again)
  }
  const permit = (userId: number): UploadedPermit => ({
    appId: world.account.appId,
    openId: String(userId),
    userId,
    formId: String(userId),
    source: 'form',
    page: undefined,
    submittedAt: NOW,
  })
  const users = (n: number) => Array.from({ length: n }, (_, userId) => permit(userId))

  // A list may make MariaDB read a small account in full: then the look meets others' locks, and is made again by halves.
  test('reads nothing but its own rows for a single permit, however small the tables are', async () => {
    await createIngest(world.db).upload(users(20), NOW)
    await analyze(world.db, 'wx_user', 'wx_save_form_id', 'wx_message_push_status')
    expect(await planOfLook([permit(7)])).toEqual(LOOK)
  })

  test('reads by the whole keys for a full list', async () => {
    await world.reset()
    await fill(world.db, world.account.appId)
    expect(await planOfLook(users(900))).toEqual(LOOK)
  })
})

/** Two and a half permits for each of 20,000 users, as many messages and sign-ins, and the runs of a year. */
async function fill(db: Knex, appId: string): Promise<void> {
  const insert = (table: string, columns: Record<string, string | number>, count: number) =>
    fillTable(db, table, columns, count)
  const app = `'${appId}'`
  // Four in five run out within the next week, every fifth ran out in the last two days.
  const expire = `${NOW - 2 * DAY_MS} + (i * 7919) % ${10 * DAY_MS}`
  await insert(
    'wx_save_form_id',
    {
      app_id: app,
      open_id: `i % ${USERS}`,
      user_id: `i % ${USERS}`,
      form_id: 'i',
      expire,
      created_at: 1,
      updated_at: 1,
    },
    2.5 * USERS,
  )
  await insert(
    'wx_save_form_id',
    {
      app_id: app,
      open_id: 'i',
      user_id: 'i',
      form_id: isSqlite(db) ? "'tap-' || i" : "CONCAT('tap-', i)",
      source: "'subscribe'",
      template_id: "'t'",
      tapped_at: 'i',
      expire: NEVER_EXPIRES,
      created_at: 1,
      updated_at: 1,
    },
    USERS,
  )
  await insert(
    'wx_message_push_status',
    { app_id: app, user_id: 'i', count: `2 + (CASE WHEN i < ${USERS / 2} THEN 1 ELSE 0 END)` },
    USERS,
  )
  await insert(
    'wx_push_message',
    {
      app_id: app,
      user_id: 'i',
      kind: "'api'",
      claim_id: 'i / 500',
      card_id: 1,
      state: "'delivered'",
      created_at: 1,
      updated_at: 1,
    },
    USERS,
  )
  const card = {
    app_id: app,
    card_key: 'i',
    channel: "'form_id'",
    template_id: "'t'",
    page: "''",
    data: "'{}'",
  }
  await insert('wx_card', { ...card, created_at: 1 }, 1_000)
  await insert(
    'wx_message_retry',
    { message_id: '1000000 + i', app_id: app, next_attempt_at: `${2 * NOW} + i` },
    5_000,
  )
  await insert('wx_sign_in', { app_id: app, user_id: 'i', day: YESTERDAY, streak: 1, created_at: 1 }, USERS)
  await insert(
    'wx_sign_in',
    { app_id: app, user_id: '7 * i', day: TODAY, streak: 1, created_at: 1 },
    USERS / 10,
  )
  await insert('wx_user', { app_id: app, open_id: 'i', user_id: 'i', created_at: 1, updated_at: 1 }, USERS)
  const run = { app_id: app, triggered_by: "'cron'", state: "'done'", started_at: 1, updated_at: 1 }
  await insert(
    'wx_job_run',
    { job: "'expire'", slot: `${NOW - 10 * DAY_MS} + i`, swept_from: 0, swept_to: 1, ...run },
    5_000,
  )
  await insert('wx_job_run', { job: "'remind'", slot: '20250000 + i', ...run }, 1_000)
  const received = { app_id: app, received_at: 1 }
  await insert('wx_callback_nonce', { mark: 'i', content: "'c'", ...received }, USERS)
  await insert(
    'wx_callback_event',
    {
      open_id: 'i',
      event: "'debug'",
      event_time: 1,
      event_key: 'i',
      payload: "'{}'",
      state: "'done'",
      trace_id: 'i',
      ...received,
    },
    USERS,
  )
  const action = { at: 'i + 10', who: "'Wang'", from_address: "''", action: "'run'", details: "'{}'" }
  await insert('wx_operator_action', { app_id: app, outcome: "'done'", ...action }, USERS)
  const outcome = { outcome: "'delivered'", messages: 1 }
  await insert('wx_run_outcome', { run_id: '5000 + i % 1000', errcode: 'i', shard: 1, ...outcome }, USERS)
  await insert('wx_job_cursor', { run_id: 'i + 1', range_no: 1, cur: 1, hi: 1 }, 3_000)
  await analyze(
    db,
    'wx_save_form_id',
    'wx_message_push_status',
    'wx_push_message',
    'wx_card',
    'wx_message_retry',
    'wx_sign_in',
    'wx_user',
    'wx_job_run',
    'wx_job_cursor',
    'wx_run_outcome',
    'wx_callback_nonce',
    'wx_callback_event',
    'wx_operator_action',
  )
}

/** Everything that the service does all day, and what it asked the database for it. */
async function runEverything(world: World): Promise<Statement[]> {
  const { db, wechat, clock } = world
  const { appId } = world.account
  wechat.configure({ acceptUnknownFormIds: true })
  const queries = recordQueries(db)
  expect(await world.startProcess({ db, appSecret: 'wrong' }).remind()).toMatchObject({ state: 'halted' })
  clock.advance(60_000)
  wechat.addFault({ kind: 'errcode', errcode: 41028, after: 10, times: 3, match: { path: SEND_PATH } })
  wechat.addFault({ kind: 'errcode', errcode: 40003, after: 15, times: 2, match: { path: SEND_PATH } })
  wechat.addFault({ kind: 'errcode', errcode: -1, after: 20, times: 3, match: { path: SEND_PATH } })
  expect(await world.startProcess({ db }).remind({ limit: 300 })).toMatchObject({
    state: 'limited',
    date: TODAY,
  })
  await findRunStatus(db, world.account, TODAY, clock.now())
  await listRuns(db, world.account, { limit: 30 })
  await findShareRead(db, appId, 1)
  const { signal } = new AbortController()
  // These users have no other permit.
  const { without_permit } = await retryFailed(db, world.account, {}, clock.now(), signal)
  expect(without_permit).toBeGreaterThan(0)
  await leaveBehind(db, appId)
  await world.startProcess({ db }).recover()
  const sweep = { appId, slot: clock.now(), triggeredBy: 'cron' } as const
  const stopped = async (slot: number, limits?: { examined: number; passSteps: number }) => {
    const stop = new AbortController()
    const deps = { db, log: silentLog, signal: stop.signal }
    await expireStale(deps, { ...sweep, slot }, clock.now(), () => stop.abort(), limits)
  }
  await stopped(sweep.slot)
  // No backlog, as far as it looks at a time.
  await stopped(sweep.slot + 1, { examined: 500, passSteps: 1 })
  await findEntries(db, appId, { expire: 0, id: 0 }, clock.now(), 2 * MAX_LIST)
  const item = {
    appId,
    openId: '1',
    userId: 1,
    source: 'form' as const,
    page: undefined,
    submittedAt: NOW - HOUR_MS,
  }
  await createIngest(db).upload([{ ...item, formId: '1' }], clock.now())
  const uploads = Array.from({ length: 900 }, (_, n) => ({
    ...item,
    openId: String(n),
    userId: n,
    formId: `fresh-${n}`,
  }))
  const ingest = createIngest(db)
  await ingest.upload(uploads, clock.now())
  // Sent again: now it looks for their owners too.
  await ingest.upload(uploads, clock.now())
  await recordSignIn(db, { appId, userId: 1, day: TODAY }, clock.now())
  const backend = { appId, channel: 'form_id', userIds: 'backend' } as const
  const auto = { appId, channel: 'form_id', userIds: 'auto' } as const
  await findBalance(db, world.account, 1, clock.now())
  await findBridge(db, world.account, { templateId: 't' }, clock.now())
  const explained = { ...world.account, retentionDays: 90 }
  for (const date of [YESTERDAY, TODAY]) await explainUser(db, explained, 1, date, clock.now())
  await explainUser(db, explained, 123_456_789, TODAY, clock.now())
  await db.transaction((trx) => bringBackNamed(trx, { appId, userId: 1 }, clock.now()))
  await db.transaction((trx) => userIdsOf(trx, auto, ['new-1', 'new-2'], clock.now()))
  const accepted = { appId, openId: '1', userId: 1, templateId: 't' }
  await db.transaction((trx) => countUnspent(trx, accepted))
  await db.transaction((trx) =>
    voidRefused(
      trx,
      Array.from({ length: 500 }, (_, n) => n + 1),
      43101,
      clock.now(),
    ),
  )
  const handOver = { openId: '1', userId: 2, movePermits: true }
  await db.transaction((trx) => rebindUser(trx, backend, handOver, clock.now()))
  await callBack(world)
  const wanted = { appId, before: 2, limit: 500 }
  const followers = world.startProcess({ db, send: async () => ACCEPTED })
  expect(await followers.remind({ limit: 300, account: { channel: 'official' } })).toMatchObject({
    state: 'limited',
    delivered: 300,
  })
  await openAllFollowers(db, { appId, channel: 'official' }, clock.now())
  await readMessages(db, null, 0, wanted)
  await findOldRuns(db, 0, wanted)
  await readRuns(db, 0, wanted)
  await readAged(db, 'wx_callback_event', wanted)
  await readAged(db, 'wx_stop_history', wanted)
  await readAged(db, 'wx_operator_action', wanted)
  await findActions(db, appId, 50)
  await readStanding(db, appId)
  await readPermits(db, appId)
  await createCounterCheck(db, appId).checkNext(new AbortController().signal)
  return queries.filter(({ sql }) => /^[\s(]*(SELECT|UPDATE|DELETE|INSERT[^;]*\sSELECT)/i.test(sql))
}

/** A message in the hands of a process that died. */
async function leaveBehind(db: Knex, appId: string): Promise<void> {
  const claim = { id: 30, app_id: appId, lease_until: 1, created_at: 1 }
  await db('wx_claim').insert(claim)
  await execute(db, "UPDATE wx_push_message SET state = 'queued' WHERE claim_id = 30 AND user_id % 100 = 0")
}

/** One event of each kind that moves the books. */
async function callBack({ db, account, clock }: World): Promise<void> {
  const now = clock.now()
  const item = { TemplateId: 't', SubscribeStatusString: 'accept', MsgID: '1', ErrorCode: '0' }
  const kinds = [
    { Event: 'subscribe_msg_popup_event', List: item },
    // Before the accept, which would count for nothing after it.
    {
      Event: 'subscribe_msg_change_event',
      List: { ...item, SubscribeStatusString: 'reject' },
      CreateTime: String(Math.floor(now / 1000) - 1),
    },
    { Event: 'subscribe_msg_sent_event', List: item },
    { Event: 'TEMPLATESENDJOBFINISH', MsgID: '2', Status: 'success' },
    { Event: 'unsubscribe' },
    { Event: 'subscribe' },
  ]
  for (const [n, kind] of kinds.entries()) {
    const fields = {
      MsgType: 'event',
      FromUserName: '1',
      CreateTime: String(Math.floor(now / 1000)),
      ...kind,
    }
    const push = { fields, mark: `push ${n}`, content: 'c' }
    await acceptPush(db, { appId: account.appId, push, traceId: 't' }, now)
  }
  const subscribe: Account = { ...account, channel: 'subscribe', templates: ['t'] }
  await createCallbackWorker({ db, account: subscribe, log: silentLog, now: clock.now }).workDue()
}
