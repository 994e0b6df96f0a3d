import type { Knex } from 'knex'
import { grantPermits, type NewPermit } from '../books/index.js'
import { isDuplicate } from '../db/errors.js'
import { inTransaction } from '../db/transaction.js'
import { failpoint } from '../lib/failpoint.js'
import { groupBy } from '../lib/group-by.js'
import { compareKeys } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import { bindUsers } from '../users/user-ids.js'
import { MAX_UNSPENT_PERMITS, type RejectionReason, USES } from './accept.js'
import { findKnownOf } from './locked.js'
import { findCounts, type Known, type Owner } from './store.js'

/** What became of one uploaded form_id. */
export type UploadOutcome =
  | { outcome: 'accepted' | 'duplicate' }
  | { outcome: 'rejected'; reason: RejectionReason }

/** A form_id or prepay_id to be stored, with all the uses it has. */
export type Accepted = Omit<NewPermit, 'useNo'>

/** One upload, to be committed with others. */
export interface UploadRequest {
  permits: Accepted[]
  now: number
}

/** One lock wait is enough: the ingest tries again apart from the others. */
const NO_LOCK_RETRY = 1

/**
 * One transaction for permits and counters: the rule "the counter is exact" holds at its commit, for all
 * requests or none. `looked` is what a look has just found out about them; without it, and when the
 * transaction starts over, they are looked up.
 */
export function commitUploads(
  db: Knex,
  requests: UploadRequest[],
  looked?: Map<string, Known>,
): Promise<UploadOutcome[][]> {
  let fromLook = looked
  return inTransaction(
    db,
    async (trx) => {
      const now = Math.max(...requests.map((request) => request.now))
      const known = fromLook ?? (await findKnownOf(trx, requests))
      fromLook = undefined
      const accounts = await openAccounts(trx, requests, known, now)
      const fresh: Accepted[] = []
      const outcomes = requests.map((request) =>
        request.permits.map((permit): UploadOutcome => {
          const { users, owners, room } = accounts.get(permit.appId) ?? NOTHING_KNOWN
          const { openId, userId, formId } = permit
          if (users.get(openId) !== userId) return { outcome: 'rejected', reason: 'open_id_of_another_user' }
          const owner = owners.get(formId)
          if (!owner) {
            const left = (room.get(userId) ?? MAX_UNSPENT_PERMITS) - USES[permit.source]
            if (left < 0) return { outcome: 'rejected', reason: 'too_many' }
            room.set(userId, left)
            owners.set(formId, permit)
            fresh.push(permit)
            return { outcome: 'accepted' }
          }
          if (owner.userId === userId && owner.openId === openId) return { outcome: 'duplicate' }
          return { outcome: 'rejected', reason: 'belongs_to_another_user' }
        }),
      )
      // Sorted by key, so that transactions of other processes lock the same index entries and counters in
      // the same order.
      fresh.sort((a, b) => compareKeys(a.appId, b.appId) || compareKeys(a.formId, b.formId))
      await grantPermits(trx, fresh.flatMap(usesOf), now)
      await assertRoom(trx, fresh, accounts)
      failpoint('ingest.in_transaction')
      return outcomes
    },
    // After we looked, another process inserted one of the form_ids, or as many permits as the user may have:
    // look again.
    (error) => isDuplicate(error) || error instanceof OverfullError,
    NO_LOCK_RETRY,
  )
}

/** What decides about the uploads to one account. */
interface AccountBooks {
  /** The user of each open_id: the user it is bound to, or else the first one to upload for it. */
  users: Map<string, UserId>
  owners: Map<string, Owner>
  /** How many permits each user with a counter may still have. */
  room: Map<UserId, number>
}

const NOTHING_KNOWN: AccountBooks = { users: new Map(), owners: new Map(), room: new Map() }

/** Binds the open_ids that belong to nobody yet. */
async function openAccounts(
  trx: Knex.Transaction,
  requests: UploadRequest[],
  known: Map<string, Known>,
  now: number,
): Promise<Map<string, AccountBooks>> {
  const accounts = new Map<string, AccountBooks>()
  for (const [appId, ofAccount] of groupBy(permitsOf(requests), (permit) => permit.appId)) {
    const { users, owners, counts } = known.get(appId) ?? {
      users: new Map(),
      owners: new Map(),
      counts: new Map(),
    }
    accounts.set(appId, {
      users: await bindUsers(trx, appId, ofAccount, now, users),
      owners: new Map(owners),
      room: roomOf(counts),
    })
  }
  return accounts
}

function permitsOf(requests: UploadRequest[]): Accepted[] {
  return requests.flatMap((request) => request.permits)
}

function roomOf(counts: Map<UserId, number>): Map<UserId, number> {
  const room = new Map<UserId, number>()
  for (const [userId, count] of counts) room.set(userId, MAX_UNSPENT_PERMITS - count)
  return room
}

function usesOf(permit: Accepted): NewPermit[] {
  return Array.from({ length: USES[permit.source] }, (_, i) => ({ ...permit, useNo: i + 1 }))
}

class OverfullError extends Error {}

/**
 * Other processes may have added to the same users since we looked. A count is checked again only if half of
 * the room is gone: only three processes at the same moment could then exceed it, by half of it each.
 */
async function assertRoom(
  trx: Knex.Transaction,
  fresh: Accepted[],
  accounts: Map<string, AccountBooks>,
): Promise<void> {
  for (const [appId, { room }] of accounts) {
    const close = new Set<UserId>()
    for (const permit of fresh)
      if (permit.appId === appId && (room.get(permit.userId) ?? 0) < MAX_UNSPENT_PERMITS / 2)
        close.add(permit.userId)
    if (close.size === 0) continue
    for (const count of (await findCounts(trx, appId, [...close])).values())
      if (count > MAX_UNSPENT_PERMITS) throw new OverfullError()
  }
}
