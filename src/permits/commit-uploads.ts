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
import * as store from './store.js'

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
 * requests or none.
 */
export function commitUploads(db: Knex, requests: UploadRequest[]): Promise<UploadOutcome[][]> {
  return inTransaction(
    db,
    async (trx) => {
      const now = Math.max(...requests.map((request) => request.now))
      const permits = requests.flatMap((request) => request.permits)
      const users = await bindOpenIds(trx, permits, now)
      const owners = await findOwners(trx, permits)
      const room = await findRoom(trx, permits)
      const fresh: Accepted[] = []
      const outcomes = requests.map((request) =>
        request.permits.map((permit): UploadOutcome => {
          if (users.get(`${permit.appId} ${permit.openId}`) !== permit.userId)
            return { outcome: 'rejected', reason: 'open_id_of_another_user' }
          const owner = owners.get(keyOf(permit))
          if (!owner) {
            const left = (room.get(userKey(permit)) ?? MAX_UNSPENT_PERMITS) - USES[permit.source]
            if (left < 0) return { outcome: 'rejected', reason: 'too_many' }
            room.set(userKey(permit), left)
            owners.set(keyOf(permit), permit)
            fresh.push(permit)
            return { outcome: 'accepted' }
          }
          if (owner.userId === permit.userId && owner.openId === permit.openId)
            return { outcome: 'duplicate' }
          return { outcome: 'rejected', reason: 'belongs_to_another_user' }
        }),
      )
      // Sorted by key, so that transactions of other processes lock the same index entries and counters in
      // the same order.
      fresh.sort((a, b) => compareKeys(keyOf(a), keyOf(b)))
      await grantPermits(trx, fresh.flatMap(usesOf), now)
      await assertRoom(trx, fresh, room)
      failpoint('ingest.in_transaction')
      return outcomes
    },
    // After we looked, another process inserted one of the form_ids, or as many permits as the user may have:
    // look again.
    (error) => isDuplicate(error) || error instanceof OverfullError,
    NO_LOCK_RETRY,
  )
}

/**
 * The user of each open_id, by account and open_id: the user it is bound to, or else the first one to upload
 * for it.
 */
async function bindOpenIds(
  trx: Knex.Transaction,
  permits: Accepted[],
  now: number,
): Promise<Map<string, UserId>> {
  const users = new Map<string, UserId>()
  for (const appId of new Set(permits.map((permit) => permit.appId))) {
    const bindings = permits.filter((permit) => permit.appId === appId)
    for (const [openId, userId] of await bindUsers(trx, appId, bindings, now))
      users.set(`${appId} ${openId}`, userId)
  }
  return users
}

function usesOf(permit: Accepted): NewPermit[] {
  return Array.from({ length: USES[permit.source] }, (_, i) => ({ ...permit, useNo: i + 1 }))
}

/** How many permits each user with a counter may still have. */
async function findRoom(trx: Knex.Transaction, permits: Accepted[]): Promise<Map<string, number>> {
  const room = new Map<string, number>()
  for (const [appId, ofAccount] of groupBy(permits, (permit) => permit.appId)) {
    const users = [...new Set(ofAccount.map(({ userId }) => userId))]
    for (const [userId, count] of await store.findCounts(trx, appId, users))
      room.set(userKey({ appId, userId }), MAX_UNSPENT_PERMITS - count)
  }
  return room
}

class OverfullError extends Error {}

/**
 * Other processes may have added to the same users since findRoom. A count is checked again only if half of
 * the room is gone: only three processes at the same moment could then exceed it, by half of it each.
 */
async function assertRoom(
  trx: Knex.Transaction,
  fresh: Accepted[],
  room: Map<string, number>,
): Promise<void> {
  const close = fresh.filter((permit) => (room.get(userKey(permit)) ?? 0) < MAX_UNSPENT_PERMITS / 2)
  for (const left of (await findRoom(trx, close)).values()) if (left < 0) throw new OverfullError()
}

type Owner = Pick<Accepted, 'openId' | 'userId'>

async function findOwners(trx: Knex.Transaction, permits: Accepted[]): Promise<Map<string, Owner>> {
  const owners = new Map<string, Owner>()
  for (const appId of new Set(permits.map((permit) => permit.appId))) {
    const formIds = permits.filter((permit) => permit.appId === appId).map((permit) => permit.formId)
    for (const row of await store.findOwners(trx, appId, formIds)) {
      owners.set(keyOf({ appId, formId: row.form_id }), { openId: row.open_id, userId: row.user_id })
    }
  }
  return owners
}

function keyOf(permit: { appId: string; formId: string }): string {
  return `${permit.appId} ${permit.formId}`
}

function userKey({ appId, userId }: { appId: string; userId: UserId }): string {
  return `${appId} ${userId}`
}
