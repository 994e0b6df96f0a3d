import type { Knex } from 'knex'
import { grantPermits } from '../books/index.js'
import { isContention, isDuplicate, isLockWait } from '../db/errors.js'
import { inTransaction } from '../db/transaction.js'
import { failpoint } from '../lib/failpoint.js'
import { groupBy } from '../lib/group-by.js'
import { bindUsers } from '../users/user-ids.js'
import { MAX_UNSPENT_PERMITS } from './accept.js'
import { commitAtOnce } from './commit-at-once.js'
import {
  type Accepted,
  type Books,
  booksOf,
  decide,
  NOTHING_KNOWN,
  type UploadOutcome,
  type UploadRequest,
  usersNearTheirLimit,
  usesOf,
} from './decide-uploads.js'
import { findCounts, type Known } from './known-store.js'
import { findKnownOf } from './locked.js'

/** One lock wait is enough: the ingest tries again apart from the others. */
const NO_LOCK_RETRY = 1

/**
 * One transaction for permits and counters: the rule "the counter is exact" holds at its commit, for all
 * requests or none. `looked` is what a look has just found out about them, and will nearly always do; without it, and
 * where more must be known, they are looked up in the transaction.
 */
export async function commitUploads(
  db: Knex,
  requests: UploadRequest[],
  looked?: Map<string, Known>,
): Promise<UploadOutcome[][]> {
  if (looked) {
    try {
      const outcomes = await commitAtOnce(db, requests, looked)
      if (outcomes) return outcomes
    } catch (error) {
      // A form_id that came before, or what another process has inserted since we looked.
      const isSeenByLook = isDuplicate(error) || (isContention(error) && !isLockWait(error))
      if (!isSeenByLook) throw error
    }
  }
  return inTransaction(
    db,
    async (trx) => {
      const now = Math.max(...requests.map((request) => request.now))
      const books = await openBooks(trx, requests, now)
      const { outcomes, fresh } = decide(requests, books)
      await grantPermits(trx, usesOf(fresh), now)
      await assertRoom(trx, fresh, books)
      failpoint('ingest.in_transaction')
      return outcomes
    },
    // After we looked, another process inserted one of the form_ids, or as many permits as the user may have:
    // look again.
    (error) => isDuplicate(error) || error instanceof OverfullError,
    NO_LOCK_RETRY,
  )
}

/** Looks the uploads up, and binds the open_ids that belong to nobody yet. */
async function openBooks(trx: Knex.Transaction, requests: UploadRequest[], now: number): Promise<Books> {
  const known = await findKnownOf(trx, requests)
  const books: Books = new Map()
  const permits = requests.flatMap((request) => request.permits)
  for (const [appId, ofAccount] of groupBy(permits, (permit) => permit.appId)) {
    const ofTables = known.get(appId) ?? NOTHING_KNOWN
    books.set(appId, booksOf(await bindUsers(trx, appId, ofAccount, now, ofTables.users), ofTables))
  }
  return books
}

class OverfullError extends Error {}

async function assertRoom(trx: Knex.Transaction, fresh: Accepted[], books: Books): Promise<void> {
  for (const [appId, users] of usersNearTheirLimit(fresh, books))
    for (const count of (await findCounts(trx, appId, [...users])).values())
      if (count > MAX_UNSPENT_PERMITS) throw new OverfullError()
}
