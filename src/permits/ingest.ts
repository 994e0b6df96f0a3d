import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { grantPermits, type NewPermit } from '../books/index.js'
import { isDuplicate, isLockWait, whyUnavailable } from '../db/errors.js'
import { inTransaction } from '../db/transaction.js'
import { ServiceError } from '../errors.js'
import { failpoint } from '../lib/failpoint.js'
import { groupBy } from '../lib/group-by.js'
import { createGroupCommit } from '../lib/group-commit.js'
import { compareKeys } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import { bindUsers } from '../users/user-ids.js'
import { accept, MAX_UNSPENT_PERMITS, type RejectionReason, type UploadedPermit, USES } from './accept.js'
import { findLocked } from './locked.js'
import * as store from './store.js'

/** What became of one uploaded form_id. */
export type UploadOutcome =
  | { outcome: 'accepted' | 'duplicate' }
  | { outcome: 'rejected'; reason: RejectionReason }

export interface Ingest {
  /**
   * Resolves, in order, after the permits are committed. Rejects if they could not be: then none of them is
   * stored.
   */
  upload(uploads: UploadedPermit[], now: number): Promise<UploadOutcome[]>
  drain(): Promise<void>
}

/** A form_id or prepay_id to be stored, with all the uses it has. */
type Accepted = Omit<NewPermit, 'useNo'>

interface Request {
  permits: Accepted[]
  now: number
}

/**
 * Permits in one transaction: two statements of up to 999 rows each stay under 60 ms (measured at 1,000 to
 * 5,000 rows).
 */
const MAX_GROUP_PERMITS = 2_000
const MAX_WAITING_PERMITS = 50_000

/**
 * For how long a request is retried while another transaction holds its rows. After that its caller is told
 * to come back.
 */
const MAX_LOCKED_MS = 8_000
/** One lock wait is enough: see commitUnlocked. */
const NO_LOCK_RETRY = 1
const FIRST_PAUSE_MS = 20
const MAX_PAUSE_MS = 500

/**
 * `locked`: the upload would wait for another transaction, which may belong to a frozen process. `waited`: it
 * or another one in its group did wait, in vain, for something that no look finds: a row locked after the
 * look, or the gap that an upsert locks before its row.
 */
type Attempt = UploadOutcome[] | 'locked' | 'waited'

/** Every permit enters the tables through this: requests that arrive together are committed together. */
export function createIngest(db: Knex): Ingest {
  const createLane = (maxGroupWeight: number) =>
    createGroupCommit<Request, Attempt>({
      commit: (requests) => commitUnlocked(db, requests),
      weigh: (request) => request.permits.length,
      mayBeOneItemsFault: (error) => whyUnavailable(error) === undefined,
      maxGroupWeight,
      maxWaitingWeight: MAX_WAITING_PERMITS,
    })
  const together = createLane(MAX_GROUP_PERMITS)
  /** One by one, outside the groups: each one that waits costs those behind it a second. */
  const apart = createLane(1)

  const underWay = new Set<Promise<unknown>>()
  let lockedPermits = 0

  /**
   * Joins one group after the other until none of its rows is locked; meanwhile the groups go on without it.
   */
  async function commit(request: Request): Promise<UploadOutcome[]> {
    const end = performance.now() + MAX_LOCKED_MS
    let lane = together
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, MAX_PAUSE_MS)) {
      const attempt = await lane.add(request)
      if (Array.isArray(attempt)) return attempt
      if (attempt === 'waited' && lane === together) {
        lane = apart
        continue
      }
      const weight = request.permits.length
      if (performance.now() + pause > end || lockedPermits + weight > MAX_WAITING_PERMITS)
        throw new ServiceError('overloaded', 'Another transaction holds rows of this user; try again shortly')
      lockedPermits += weight
      await sleep(pause)
      lockedPermits -= weight
    }
  }

  return {
    async upload(uploads, now) {
      const outcomes: UploadOutcome[] = []
      const permits: Accepted[] = []
      const places: number[] = []
      for (const [place, upload] of uploads.entries()) {
        const acceptance = accept(upload, now)
        if (!acceptance.ok) {
          outcomes[place] = { outcome: 'rejected', reason: acceptance.reason }
          continue
        }
        const { appId, openId, userId, source, page } = upload
        const { formId, expire } = acceptance
        permits.push({ appId, openId, userId, source, page, formId, expire })
        places.push(place)
      }
      if (permits.length === 0) return outcomes
      const committed = commit({ permits, now })
      underWay.add(committed)
      const stored = await committed.finally(() => underWay.delete(committed))
      for (const [i, outcome] of stored.entries()) outcomes[places[i] ?? 0] = outcome
      return outcomes
    },
    async drain() {
      await Promise.allSettled(underWay)
    },
  }
}

async function commitUnlocked(db: Knex, requests: Request[]): Promise<Attempt[]> {
  const locked = await findLocked(db, requests)
  const free = requests.filter((request) => !locked.has(request))
  try {
    const outcomes = free.length === 0 ? [] : await commitUploads(db, free)
    const committed = new Map(free.map((request, i) => [request, outcomes[i]]))
    return requests.map((request) => committed.get(request) ?? 'locked')
  } catch (error) {
    if (isLockWait(error)) return requests.map((request) => (locked.has(request) ? 'locked' : 'waited'))
    throw error
  }
}

/**
 * One transaction for permits and counters: the rule "the counter is exact" holds at its commit, for all
 * requests or none.
 */
function commitUploads(db: Knex, requests: Request[]): Promise<UploadOutcome[][]> {
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
