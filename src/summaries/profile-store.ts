import type { Knex } from 'knex'
import { type Condition, isForReminders, PAY_HOLD_MS, sentWith, VALIDITY_MARGIN_MS } from '../books/index.js'
import { type Channel, needsPermit } from '../channel.js'
import { inThisOrder, isSqlite, mysqlHint, selectRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'
import type { Range } from '../runs/ranges.js'
import { isStopped } from '../users/stopped.js'
import type { ComingDay } from './coming-days.js'
import type { Bundle, Profile } from './reach.js'

/** How many counters one statement reads, with their permits that are still valid (25 ms). */
export const PAGE = 1_000

export interface ProfilesOf {
  account: { appId: string; channel: Channel; templateId: string }
  page: Range
  days: ComingDay[]
}

/** What is written to a bundle's number of a permit that is held at the first moment. */
const HELD = 1_000

/**
 * SQL of the users of a page that have what they need and are not stopped, each with its profile as text: `3:2 4:1
 * 1001:1` are two permits valid at the first three moments, one at the first four, and one held at the first. Plan on
 * MySQL: p range PRIMARY, s and m eq_ref, u ref wx_user_user_idx, f ref wx_save_form_id_oldest_idx. Permits that ran
 * out are passed over in the index. Grouped twice, so that the text stays short however many permits a user has: MySQL
 * cuts GROUP_CONCAT at 1,024 characters, and there are at most 64 bundles.
 */
function profiles(db: Knex, of: ProfilesOf): Condition {
  if (!needsPermit(of.account.channel)) return followers(db, of)
  const { account, page, days } = of
  const [first, ...later] = days.map(({ at }) => at + VALIDITY_MARGIN_MS)
  const forReminders = isForReminders(account)
  const at = (days[0]?.at ?? 0) - PAY_HOLD_MS
  // The subscriptions first: they outlive every moment.
  const last = later.at(-1) ?? first ?? 0
  const whens = later.map((_, i) => `WHEN f.expire <= ? THEN ${i + 1}`).join(' ')
  const bundle = `CASE WHEN f.expire > ? THEN ${days.length} ${whens} ELSE ${days.length} END
    + CASE WHEN f.source = 'pay' AND f.created_at > ? THEN ${HELD} ELSE 0 END`
  const text = isSqlite(db)
    ? "GROUP_CONCAT(bundle || ':' || permits, ' ' ORDER BY bundle)"
    : "GROUP_CONCAT(CONCAT(bundle, ':', permits) ORDER BY bundle SEPARATOR ' ')"
  const { doneTo, joins, isOfPage } = standings(db)
  return {
    sql: `SELECT user_id, done_to, ${text} AS bundles FROM (
       SELECT p.user_id, ${doneTo} AS done_to, ${bundle} AS bundle, COUNT(*) AS permits
       FROM wx_message_push_status p ${joins}
       ${inThisOrder(db)} wx_save_form_id f${mysqlHint(db, 'FORCE INDEX (wx_save_form_id_oldest_idx)')}
         ON f.app_id = p.app_id AND f.user_id = p.user_id AND f.expire > ? AND f.status = 0 AND ${forReminders.sql}
       WHERE ${isOfPage} AND p.count > 0
       GROUP BY p.user_id, done_to, bundle) AS bundles_of_users
     GROUP BY user_id, done_to`,
    bindings: [
      ...daysOf(days),
      last,
      ...later,
      at,
      ...daysOf(days),
      account.templateId,
      first ?? 0,
      ...forReminders.bindings,
      account.appId,
      page.cur,
      page.hi,
    ],
  }
}

/**
 * Of a service account: everybody whose open_id is known, without permits. Plan on MySQL: also w ref wx_user_user_idx.
 */
function followers(db: Knex, of: ProfilesOf): Condition {
  const { account, page, days } = of
  const { doneTo, joins, isOfPage } = standings(db)
  const person = sentWith(db, { kind: 'open_id' })
  return {
    sql: `SELECT p.user_id, ${doneTo} AS done_to, '' AS bundles FROM wx_message_push_status p ${joins}
     WHERE ${isOfPage} AND ${person.sql} IS NOT NULL`,
    bindings: [...daysOf(days), ...daysOf(days), account.templateId, account.appId, page.cur, page.hi],
  }
}

/**
 * SQL of the users `p` of a page who are not stopped, and of the day up to which each is done. The days and the joins
 * take today twice each, the joins then the template.
 */
function standings(db: Knex): { doneTo: string; joins: string; isOfPage: string } {
  return {
    doneTo: `CASE WHEN p.last_date >= ? THEN p.last_date
      WHEN s.user_id IS NOT NULL OR m.id IS NOT NULL THEN ? ELSE 0 END`,
    joins: `LEFT JOIN wx_sign_in s${mysqlHint(db, 'FORCE INDEX (PRIMARY)')}
         ON s.app_id = p.app_id AND s.user_id = p.user_id AND s.day = ?
       LEFT JOIN wx_push_message m ON m.app_id = p.app_id AND m.business_date = ? AND m.user_id = p.user_id
       LEFT JOIN wx_user u${mysqlHint(db, 'FORCE INDEX (wx_user_user_idx)')}
         ON u.app_id = p.app_id AND u.user_id = p.user_id AND ${isStopped('u', '?')}`,
    isOfPage: 'p.app_id = ? AND p.user_id > ? AND p.user_id <= ? AND u.app_id IS NULL',
  }
}

function daysOf(days: ComingDay[]): number[] {
  const today = days[0]?.date ?? 0
  return [today, today]
}

/** The profiles of a page's users, each with its number of users: as a rule a few hundred rows. */
export async function countProfiles(
  db: Knex,
  of: ProfilesOf,
): Promise<{ profile: Profile; users: number }[]> {
  const { sql, bindings } = profiles(db, of)
  const rows = await selectRows<{ done_to: number; bundles: string; users: number }>(
    db,
    `SELECT done_to, bundles, COUNT(*) AS users FROM (${sql}) AS profiles GROUP BY done_to, bundles`,
    bindings,
  )
  return rows.map(({ done_to, bundles, users }) => ({ profile: toProfile(done_to, bundles), users }))
}

/** The profiles of a page's users, in the order of users. */
export async function findProfiles(
  db: Knex,
  of: ProfilesOf,
): Promise<{ profile: Profile; userId: UserId }[]> {
  const { sql, bindings } = profiles(db, of)
  const rows = await selectRows<{ user_id: UserId; done_to: number; bundles: string }>(
    db,
    `SELECT user_id, done_to, bundles FROM (${sql}) AS profiles ORDER BY user_id`,
    bindings,
  )
  return rows.map(({ user_id, done_to, bundles }) => ({
    profile: toProfile(done_to, bundles),
    userId: user_id,
  }))
}

function toProfile(doneTo: number, bundles: string): Profile {
  if (bundles === '') return { doneTo, bundles: [], needsNone: true }
  return { doneTo, bundles: bundles.split(' ').map(toBundle) }
}

function toBundle(text: string): Bundle {
  const [bundle = 0, permits = 0] = text.split(':').map(Number)
  return { valid: bundle % HELD, isHeld: bundle >= HELD, permits }
}
