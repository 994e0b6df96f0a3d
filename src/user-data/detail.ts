import type { Knex } from 'knex'
import { ServiceError } from '../errors.js'
import { businessDate } from '../lib/business-date.js'
import { type UserId, userIdToJson } from '../lib/user-id.js'
import { findDayOfUser } from '../sign-ins/sign-in.js'
import { isoDateOrNull, isoTimeOrNull } from './json.js'
import { findMessagePage } from './messages.js'
import { findPermitPage, summarisePermits } from './permits.js'
import { findCounter, findPersonsOfUser } from './person-store.js'
import { stopsOf } from './persons.js'
import type { UserDetail } from './schemas.js'
import { findSignInPage } from './sign-ins.js'

/** What the first page of each list holds; the calls for single lists give the rest. */
const FIRST_PAGE = 20
const MAX_PERSONS = 100

/** What decides how a user's record reads. */
export interface RecordAccount {
  appId: string
  timezone: string
}

/**
 * All that is on record about a user, with the first page of each list. It names open_ids in full, for callers that
 * know them anyway; a page shortens them (maskOpenId). Reads a bounded number of rows, each by an index. Throws
 * `not_found` for a number that nobody has been seen with.
 */
export async function findUserDetail(
  db: Knex,
  { appId, timezone }: RecordAccount,
  userId: UserId,
  now: number,
): Promise<UserDetail> {
  const today = businessDate(now, timezone)
  const persons = await findPersonsOfUser(db, appId, userId, MAX_PERSONS)
  const counter = await findCounter(db, appId, userId)
  const permits = await findPermitPage(db, appId, userId, { limit: FIRST_PAGE })
  const signIns = await findSignInPage(db, appId, userId, { limit: FIRST_PAGE })
  const messages = await findMessagePage(db, appId, userId, { limit: FIRST_PAGE })
  const lists = [persons, permits.items, signIns.items, messages.items]
  if (!counter && lists.every(({ length }) => length === 0))
    throw new ServiceError('not_found', 'Nothing is on record about a user with this number')
  return {
    user_id: userIdToJson(userId),
    open_ids: persons.map(({ open_id, union_id, created_at }) => ({
      open_id,
      union_id,
      known_since_at: isoTimeOrNull(created_at),
    })),
    counter: counter ? { count: counter.count, last_date: isoDateOrNull(counter.last_date) } : null,
    stops: persons.flatMap(stopsOf),
    permits: { ...(await summarisePermits(db, { appId, timezone }, userId)), ...permits },
    sign_ins: { ...(await findDayOfUser(db, { appId, userId, day: today })), ...signIns },
    messages,
  }
}
