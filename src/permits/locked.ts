import type { Knex } from 'knex'
import { isLockWait } from '../db/errors.js'
import { groupBy } from '../lib/group-by.js'
import type { UserId } from '../lib/user-id.js'
import { findKnown, findKnownUnlocked, type Known } from './known-store.js'

export interface Upload {
  permits: { appId: string; openId: string; userId: UserId; formId: string }[]
}

/** What the tables know of the uploads that need not wait, by account. */
export interface Look<T> {
  locked: Set<T>
  known: Map<string, Known>
}

/**
 * Looks up what is known of the uploads, and which of them would wait for a row held by another transaction:
 * that one may be frozen, and the other uploads need not wait with them. Takes one statement if nothing is
 * locked, and halves otherwise, so that one locked row costs the logarithm. Rows locked after the look are
 * waited for. Permits are looked at only with `owners`: a form_id that is there already refuses its insert.
 */
export async function lookAt<T extends Upload>(db: Knex, uploads: T[], owners: boolean): Promise<Look<T>> {
  try {
    const known = await findKnownOf(db, uploads, (...of) => findKnownUnlocked(...of, owners))
    return { locked: new Set(), known }
  } catch (error) {
    if (!isLockWait(error)) throw error
  }
  if (uploads.length === 1) return { locked: new Set(uploads), known: new Map() }
  const middle = Math.ceil(uploads.length / 2)
  const first = await lookAt(db, uploads.slice(0, middle), owners)
  const second = await lookAt(db, uploads.slice(middle), owners)
  for (const [appId, known] of second.known) {
    const before = first.known.get(appId)
    first.known.set(appId, before ? together(before, known) : known)
  }
  return { locked: new Set([...first.locked, ...second.locked]), known: first.known }
}

/** What is known of the uploads, by account. */
export async function findKnownOf(
  db: Knex,
  uploads: Upload[],
  find: typeof findKnown = findKnown,
): Promise<Map<string, Known>> {
  const permits = uploads.flatMap((upload) => upload.permits)
  const all = new Map<string, Known>()
  for (const [appId, ofAccount] of groupBy(permits, (permit) => permit.appId))
    all.set(appId, await find(db, appId, ofAccount))
  return all
}

function together(one: Known, other: Known): Known {
  return {
    users: new Map([...one.users, ...other.users]),
    owners: new Map([...one.owners, ...other.owners]),
    counts: new Map([...one.counts, ...other.counts]),
  }
}
