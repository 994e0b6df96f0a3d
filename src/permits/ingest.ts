import type { Knex } from 'knex'
import { isDuplicate, whyUnavailable } from '../db/errors.js'
import { inTransaction } from '../db/transaction.js'
import { failpoint } from '../lib/failpoint.js'
import { createGroupCommit } from '../lib/group-commit.js'
import { compareUserIds, type UserId } from '../lib/user-id.js'
import { bindUsers } from '../users/user-ids.js'
import { accept, type RejectionReason, type UploadedPermit } from './accept.js'
import * as store from './store.js'

/** What became of one uploaded form_id. */
export type UploadOutcome =
  | { outcome: 'accepted' | 'duplicate' }
  | { outcome: 'rejected'; reason: RejectionReason }

export interface Ingest {
  /** Answers, in order, after the permits are committed. Rejects if they could not be: then none of them is stored. */
  upload(uploads: UploadedPermit[], now: number): Promise<UploadOutcome[]>
  drain(): Promise<void>
}

/** A form_id or prepay_id that is to be stored, with all the uses it has. */
type Accepted = Omit<store.NewPermit, 'useNo'>

interface Request {
  permits: Accepted[]
  now: number
}

/** Uploads in one transaction: two statements of up to 999 rows each stay under 60 ms (measured at 1,000 to 5,000 rows). */
const MAX_GROUP_PERMITS = 2_000
const MAX_WAITING_PERMITS = 50_000

/** The way of every permit into the tables: requests that arrive together are committed together. */
export function createIngest(db: Knex): Ingest {
  const groupCommit = createGroupCommit<Request, UploadOutcome[]>({
    commit: (requests) => commitUploads(db, requests),
    weigh: (request) => request.permits.length,
    mayBeOneItemsFault: (error) => whyUnavailable(error) === undefined,
    maxGroupWeight: MAX_GROUP_PERMITS,
    maxWaitingWeight: MAX_WAITING_PERMITS,
  })

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
      const stored = await groupCommit.add({ permits, now })
      for (const [i, outcome] of stored.entries()) outcomes[places[i] ?? 0] = outcome
      return outcomes
    },
    drain: () => groupCommit.drain(),
  }
}

/** One transaction for permits and counters: rule "the counter is exact" holds at its commit, for all requests or none. */
function commitUploads(db: Knex, requests: Request[]): Promise<UploadOutcome[][]> {
  return inTransaction(
    db,
    async (trx) => {
      const now = Math.max(...requests.map((request) => request.now))
      const permits = requests.flatMap((request) => request.permits)
      const users = await bindOpenIds(trx, permits, now)
      const owners = await findOwners(trx, permits)
      const fresh: Accepted[] = []
      const outcomes = requests.map((request) =>
        request.permits.map((permit): UploadOutcome => {
          if (users.get(`${permit.appId} ${permit.openId}`) !== permit.userId)
            return { outcome: 'rejected', reason: 'open_id_of_another_user' }
          const owner = owners.get(keyOf(permit))
          if (!owner) {
            owners.set(keyOf(permit), permit)
            fresh.push(permit)
            return { outcome: 'accepted' }
          }
          if (owner.userId === permit.userId && owner.openId === permit.openId)
            return { outcome: 'duplicate' }
          return { outcome: 'rejected', reason: 'belongs_to_another_user' }
        }),
      )
      // Sorted by key: transactions of other processes lock the same index entries and counters in the same order.
      fresh.sort((a, b) => compare(keyOf(a), keyOf(b)))
      const rows = fresh.flatMap(usesOf)
      await store.insertPermits(trx, rows, now)
      await store.countUp(trx, countByUser(rows), now)
      failpoint('ingest.in_transaction')
      return outcomes
    },
    // Another process inserted one of the form_ids after we looked: look again.
    isDuplicate,
  )
}

/** To whom each open_id belongs, by account and open_id: to the first who uploads for it, unless it is bound already. */
async function bindOpenIds(trx: Knex, permits: Accepted[], now: number): Promise<Map<string, UserId>> {
  const users = new Map<string, UserId>()
  for (const appId of new Set(permits.map((permit) => permit.appId))) {
    const bindings = permits.filter((permit) => permit.appId === appId)
    for (const [openId, userId] of await bindUsers(trx, appId, bindings, now))
      users.set(`${appId} ${openId}`, userId)
  }
  return users
}

/** A form submit is one message, a successful payment three (WeChat: 模板消息). */
const USES = { form: 1, pay: 3 } as const

function usesOf(permit: Accepted): store.NewPermit[] {
  return Array.from({ length: USES[permit.source] }, (_, i) => ({ ...permit, useNo: i + 1 }))
}

type Owner = Pick<Accepted, 'openId' | 'userId'>

async function findOwners(trx: Knex, permits: Accepted[]): Promise<Map<string, Owner>> {
  const owners = new Map<string, Owner>()
  for (const appId of new Set(permits.map((permit) => permit.appId))) {
    const formIds = permits.filter((permit) => permit.appId === appId).map((permit) => permit.formId)
    for (const row of await store.findOwners(trx, appId, formIds)) {
      owners.set(keyOf({ appId, formId: row.form_id }), { openId: row.open_id, userId: row.user_id })
    }
  }
  return owners
}

function countByUser(permits: store.NewPermit[]): store.CounterChange[] {
  const changes = new Map<string, store.CounterChange>()
  for (const { appId, userId } of permits) {
    const key = `${appId} ${userId}`
    const change = changes.get(key) ?? { appId, userId, by: 0 }
    change.by++
    changes.set(key, change)
  }
  return [...changes.values()].sort((a, b) => compare(a.appId, b.appId) || compareUserIds(a.userId, b.userId))
}

function keyOf(permit: { appId: string; formId: string }): string {
  return `${permit.appId} ${permit.formId}`
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
