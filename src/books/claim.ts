import type { Knex } from 'knex'
import { execute, forUpdateSkipLocked, placeholders, selectRows } from '../db/sql.js'
import { compareKeys, sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import { byId } from './locked-permits.js'
import type { PermitSource } from './permit.js'
import { isValid } from './usable.js'

/** A user found to be due, with the permit that the reminder will spend. Neither is locked yet. */
export interface Candidate {
  userId: UserId
  permitId: number
}

interface PermitRow {
  id: number
  user_id: UserId
  open_id: string
  form_id: string
  source: PermitSource
}

export interface ClaimedPermit {
  id: number
  userId: UserId
  openId: string
  formId: string
  source: PermitSource
  /** The user's `last_date` before this claim. */
  lastDateBefore: number
}

/**
 * Claims permits for one day's reminders: status 1 with the message that spends it, counter down, `last_date` set to
 * the day. Candidates that another transaction holds, or that are no longer due, are passed over. `writeReminders`
 * inserts the messages in between, so that they exist when the permits name them; they are found by user and day.
 * Returns the claimed permits by ascending user, and the smallest user who was passed over.
 */
export async function claimPermits(
  trx: Knex.Transaction,
  { appId, date, candidates }: { appId: string; date: number; candidates: Candidate[] },
  writeReminders: (claimed: ClaimedPermit[]) => Promise<void>,
  now: number,
): Promise<{ claimed: ClaimedPermit[]; again: UserId | null }> {
  if (candidates.length === 0) return { claimed: [], again: null }
  const permits = await lockCandidates(trx, candidates, now)
  const lastDates = await lockDueCounters(trx, appId, permits, date)
  const again = candidates.find(({ userId }) => !lastDates.has(userId))?.userId ?? null
  const claimed = permits
    .flatMap(({ id, user_id: userId, open_id: openId, form_id: formId, source }): ClaimedPermit[] => {
      const lastDateBefore = lastDates.get(userId)
      return lastDateBefore === undefined ? [] : [{ id, userId, openId, formId, source, lastDateBefore }]
    })
    .sort((a, b) => compareKeys(a.userId, b.userId))
  if (claimed.length === 0) return { claimed, again }
  await countDownFor(trx, appId, claimed, date, now)
  await writeReminders(claimed)
  await spendOnReminders(trx, appId, claimed, date, now)
  return { claimed, again }
}

/**
 * Locks the candidates' permits that are still valid and that no other transaction holds. A permit that was handed
 * over since it was found now belongs to a user we know nothing about (who may have signed in or been claimed
 * already), so it is left out.
 */
async function lockCandidates(
  trx: Knex.Transaction,
  candidates: Candidate[],
  now: number,
): Promise<PermitRow[]> {
  const userOf = new Map(candidates.map(({ permitId, userId }) => [permitId, userId]))
  const valid = isValid(now)
  const rows = await selectRows<PermitRow>(
    trx,
    `SELECT f.id, f.user_id, f.open_id, f.form_id, f.source FROM wx_save_form_id f${byId(trx)}
     WHERE f.id IN (${placeholders(userOf.size)}) AND ${valid.sql} ORDER BY f.id${forUpdateSkipLocked(trx)}`,
    [...sortedUnique(userOf.keys()), ...valid.bindings],
  )
  return rows.filter((row) => row.user_id === userOf.get(row.id))
}

/**
 * Locks the counters of users who are still due and whose counter no other transaction holds. Returns each user's
 * `last_date`.
 */
async function lockDueCounters(
  trx: Knex.Transaction,
  appId: string,
  permits: PermitRow[],
  date: number,
): Promise<Map<UserId, number>> {
  if (permits.length === 0) return new Map()
  const userIds = sortedUnique(permits.map(({ user_id }) => user_id))
  const rows = await selectRows<{ user_id: UserId; last_date: number }>(
    trx,
    `SELECT user_id, last_date FROM wx_message_push_status
     WHERE app_id = ? AND user_id IN (${placeholders(userIds.length)}) AND count > 0 AND last_date < ?
     ORDER BY user_id${forUpdateSkipLocked(trx)}`,
    [appId, ...userIds, date],
  )
  return new Map(rows.map(({ user_id, last_date }) => [user_id, last_date]))
}

async function countDownFor(
  trx: Knex.Transaction,
  appId: string,
  claimed: ClaimedPermit[],
  date: number,
  now: number,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_message_push_status SET count = count - 1, last_date = ?, updated_at = ?
     WHERE app_id = ? AND user_id IN (${placeholders(claimed.length)})`,
    [date, now, appId, ...claimed.map(({ userId }) => userId)],
  )
}

async function spendOnReminders(
  trx: Knex.Transaction,
  appId: string,
  claimed: ClaimedPermit[],
  date: number,
  now: number,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_save_form_id${byId(trx)} SET status = 1, updated_at = ?, message_id = (
       SELECT m.id FROM wx_push_message m
       WHERE m.app_id = ? AND m.user_id = wx_save_form_id.user_id AND m.business_date = ?)
     WHERE id IN (${placeholders(claimed.length)})`,
    [now, appId, date, ...sortedUnique(claimed.map(({ id }) => id))],
  )
}
