import type { NewPermit } from '../books/index.js'
import { compareKeys } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import { MAX_UNSPENT_PERMITS, type RejectionReason, USES } from './accept.js'
import type { Known, Owner } from './known-store.js'

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

/** What decides about the uploads to one account. */
export interface AccountBooks {
  /** The user of each open_id: the user it is bound to, or else the first one to upload for it. */
  users: Map<string, UserId>
  owners: Map<string, Owner>
  /** How many permits each user with a counter may still have. */
  room: Map<UserId, number>
}

export type Books = Map<string, AccountBooks>

export interface Decision {
  /** In the order of the requests and their permits. */
  outcomes: UploadOutcome[][]
  /** To be inserted, sorted by key: transactions of other processes lock the same entries in the same order. */
  fresh: Accepted[]
}

export const NOTHING_KNOWN: Known = { users: new Map(), owners: new Map(), counts: new Map() }

/** The books of an account, once it is settled whom its open_ids belong to. */
export function booksOf(users: Map<string, UserId>, { owners, counts }: Known): AccountBooks {
  const room = new Map<UserId, number>()
  for (const [userId, count] of counts) room.set(userId, MAX_UNSPENT_PERMITS - count)
  return { users, owners: new Map(owners), room }
}

/** Decides about each permit in turn, and writes down in `books` what that leaves for the next. */
export function decide(requests: UploadRequest[], books: Books): Decision {
  const fresh: Accepted[] = []
  const outcomes = requests.map(({ permits }) =>
    permits.map((permit): UploadOutcome => {
      const account = books.get(permit.appId)
      if (!account) throw new Error('the books of an account were not opened')
      const outcome = outcomeOf(permit, account)
      if (outcome === ACCEPTED) fresh.push(permit)
      return outcome
    }),
  )
  fresh.sort((a, b) => compareKeys(a.appId, b.appId) || compareKeys(a.formId, b.formId))
  return { outcomes, fresh }
}

const ACCEPTED: UploadOutcome = { outcome: 'accepted' }

function outcomeOf(permit: Accepted, { users, owners, room }: AccountBooks): UploadOutcome {
  const { openId, userId, formId } = permit
  if (users.get(openId) !== userId) return { outcome: 'rejected', reason: 'open_id_of_another_user' }
  const owner = owners.get(formId)
  if (!owner) {
    const left = (room.get(userId) ?? MAX_UNSPENT_PERMITS) - USES[permit.source]
    if (left < 0) return { outcome: 'rejected', reason: 'too_many' }
    room.set(userId, left)
    owners.set(formId, permit)
    return ACCEPTED
  }
  if (owner.userId === userId && owner.openId === openId) return { outcome: 'duplicate' }
  return { outcome: 'rejected', reason: 'belongs_to_another_user' }
}

/** A row for each use. */
export function usesOf(permits: Accepted[]): NewPermit[] {
  return permits.flatMap((permit) =>
    Array.from({ length: USES[permit.source] }, (_, i) => ({ ...permit, useNo: i + 1 })),
  )
}

/**
 * The users of new permits who have used up half of their room: their counts are looked at once more before the
 * commit, since other processes may have added to the same users since we looked. So only three processes at the
 * same moment could exceed it, by half of it each.
 */
export function usersNearTheirLimit(fresh: Accepted[], books: Books): Map<string, Set<UserId>> {
  const near = new Map<string, Set<UserId>>()
  for (const { appId, userId } of fresh) {
    if ((books.get(appId)?.room.get(userId) ?? 0) >= MAX_UNSPENT_PERMITS / 2) continue
    const users = near.get(appId)
    if (users) users.add(userId)
    else near.set(appId, new Set([userId]))
  }
  return near
}
