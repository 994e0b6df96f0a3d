import type { Knex } from 'knex'
import { type ErasablePermit, erasePermits, lockErasable, NOBODY } from '../books/index.js'
import { inRequest } from '../db/transaction.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import { endSubmitted } from '../messages/submitted-store.js'
import type { Place } from '../permits/store.js'
import { deleteRows } from '../retention/store.js'
import { forgetSamples } from '../runs/outcomes.js'
import { findPersons } from '../users/store.js'
import * as store from './erase-store.js'

/** What an erasure has erased so far. */
export interface Erased {
  open_ids: number
  permits: number
  /** Of these, permits that were unspent and are expired now. */
  voided: number
  messages: number
  events: number
}

const CHUNK = 500
/** A call ends after so many permits, some two seconds: a user of an old table may have a million. */
const MAX_PERMITS = 20_000

export interface Eraser {
  readonly erased: Erased
  /** Permits left alone because a message on them is under way. */
  readonly skipped: number
  mayGoOn(): boolean
  /** Deletes what WeChat pushed about a person. */
  events(openId: string): Promise<void>
  /** Each returns whether there was anything to erase. */
  permitsOfUser(): Promise<boolean>
  permitsOfGiver(openId: string): Promise<boolean>
  messages(ids: number[]): Promise<boolean>
}

/**
 * A dead letter says nothing any more, so it is cancelled: nobody can queue it again. `ids` must be sorted. Lock order:
 * messages, then the outcomes of their runs.
 */
async function eraseMessages(trx: Knex.Transaction, ids: number[], now: number): Promise<number> {
  const dead = await store.lockDead(trx, ids)
  const erased = await store.eraseMessages(trx, ids)
  await endSubmitted(trx, dead.map(cancelled), now)
  await store.eraseSubmitted(trx, ids)
  await forgetSamples(trx, sortedUnique(await store.findRunsOf(trx, ids)), ids)
  return erased
}

const cancelled = (id: number) => ({ id, state: 'cancelled' }) as const

/** The steps of an erasure, each in transactions of a few hundred rows. Lock order: permits, counters, messages. */
export function createEraser(db: Knex, appId: string, userId: UserId, now: number): Eraser {
  const erased: Erased = { open_ids: 0, permits: 0, voided: 0, messages: 0, events: 0 }
  let skipped = 0

  async function eraseChunk(ids: number[], isMeant: (permit: ErasablePermit) => boolean): Promise<number> {
    const done = await inRequest(db, async (trx) => {
      const permits = (await lockErasable(trx, ids)).filter(isMeant)
      // A claim that was not yet committed when we looked has been waited for by now.
      const spent = permits.filter(({ status }) => status === 1).map(({ message_id }) => message_id)
      const open = await store.findOpen(trx, sortedUnique(spent))
      const free = permits.filter(({ status, message_id }) => status !== 1 || !open.has(message_id))
      const voided = await erasePermits(trx, appId, free, now)
      const named = free.map(({ message_id }) => message_id).filter((id) => id > 0)
      const messages = await eraseMessages(trx, sortedUnique(named), now)
      return { permits: free.length, voided, messages, skipped: permits.length - free.length }
    })
    erased.permits += done.permits
    erased.voided += done.voided
    erased.messages += done.messages
    skipped += done.skipped
    return done.permits
  }

  async function events(openId: string): Promise<void> {
    for (;;) {
      const ids = sortedUnique(await store.findEventsOf(db, appId, openId, CHUNK))
      if (ids.length === 0) return
      erased.events += await inRequest(db, (trx) => deleteRows(trx, 'wx_callback_event', ids))
    }
  }

  /** Those who gave permits without being bound to anybody, as in tables that are older than this service. */
  async function unbound(openIds: string[]): Promise<void> {
    const persons = await findPersons(db, appId, openIds)
    const bound = new Set(persons.filter(({ userId }) => userId !== null).map(({ openId }) => openId))
    const theirs = openIds.filter((openId) => !bound.has(openId))
    if (theirs.length === 0) return
    for (const openId of theirs) await events(openId)
    erased.open_ids += await inRequest(db, (trx) => store.deleteUnbound(trx, appId, theirs))
  }

  return {
    erased,
    get skipped() {
      return skipped
    },
    mayGoOn: () => erased.permits < MAX_PERMITS,
    events,
    async permitsOfUser() {
      const before = erased.permits
      let place: Place | undefined = { expire: -1, id: 0 }
      while (place && erased.permits < MAX_PERMITS) {
        const rows: store.GivenPermit[] = await store.findPermitsAfter(db, appId, userId, place, CHUNK)
        const left = rows.filter(({ open_id }) => open_id !== NOBODY)
        if (left.length > 0) {
          // While the permits still name them.
          await unbound([...new Set(left.map(({ open_id }) => open_id))])
          await eraseChunk(
            left.map(({ id }) => id),
            (permit) => permit.user_id === userId,
          )
        }
        place = rows.length < CHUNK ? undefined : rows.at(-1)
      }
      return erased.permits > before
    },
    async permitsOfGiver(openId) {
      const before = erased.permits
      while (erased.permits < MAX_PERMITS) {
        const ids = await store.findPermitsOfGiver(db, appId, openId, CHUNK)
        if (ids.length === 0) break
        if ((await eraseChunk(ids, ({ open_id }) => open_id === openId)) === 0) break
      }
      return erased.permits > before
    },
    async messages(ids) {
      const messages = await inRequest(db, (trx) => eraseMessages(trx, sortedUnique(ids), now))
      erased.messages += messages
      return messages > 0
    },
  }
}
