import type { Knex } from 'knex'
import { type BusinessDate, toIsoDate } from '../lib/business-date.js'
import { isoTime } from '../lib/iso-time.js'
import type { UserId } from '../lib/user-id.js'
import { findDaysBefore } from '../sign-ins/store.js'
import type { SignInPage } from './schemas.js'

const LAST_DAY: BusinessDate = 99_991_231

/** A page of the days on which a user signed in, the newest first. */
export async function findSignInPage(
  db: Knex,
  appId: string,
  userId: UserId,
  { limit, before = LAST_DAY }: { limit: number; before?: BusinessDate | undefined },
): Promise<SignInPage> {
  const rows = await findDaysBefore(db, appId, userId, before, limit + 1)
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return {
    items: shown.map(({ day, streak, created_at }) => ({
      date: toIsoDate(day),
      streak,
      created_at: isoTime(created_at),
    })),
    next: rows.length > limit && last ? toIsoDate(last.day) : null,
  }
}
