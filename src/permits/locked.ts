import type { Knex } from 'knex'
import { isLockWait } from '../db/errors.js'
import { isSqlite } from '../db/sql.js'
import { groupBy } from '../lib/group-by.js'
import type { UserId } from '../lib/user-id.js'
import { assertNothingLocked } from './store.js'

export interface Upload {
  permits: { appId: string; openId: string; userId: UserId; formId: string }[]
}

/**
 * The uploads that would wait for a row held by another transaction: that one may be frozen, and the other
 * uploads need not wait with them. Takes one statement if nothing is locked, and halves otherwise, so that
 * one locked row costs the logarithm. Rows locked after the look are waited for. SQLite has no such rows: its
 * one lock is the whole file.
 */
export async function findLocked<T extends Upload>(db: Knex, uploads: T[]): Promise<Set<T>> {
  if (isSqlite(db) || (await isFree(db, uploads))) return new Set()
  if (uploads.length === 1) return new Set(uploads)
  const middle = Math.ceil(uploads.length / 2)
  const first = await findLocked(db, uploads.slice(0, middle))
  const second = await findLocked(db, uploads.slice(middle))
  return new Set([...first, ...second])
}

async function isFree(db: Knex, uploads: Upload[]): Promise<boolean> {
  const permits = uploads.flatMap((upload) => upload.permits)
  try {
    for (const [appId, ofAccount] of groupBy(permits, (permit) => permit.appId))
      await assertNothingLocked(db, appId, ofAccount)
    return true
  } catch (error) {
    if (isLockWait(error)) return false
    throw error
  }
}
