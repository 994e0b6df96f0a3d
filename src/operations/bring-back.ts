import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { restoreVoided } from '../books/index.js'
import { inTransaction } from '../db/transaction.js'
import { findRefusals, type RefusedMessage } from '../messages/refusal-store.js'
import * as subscriptions from '../permits/subscription-store.js'
import * as store from '../users/stop-store.js'
import { CODE } from '../wechat/codes.js'
import { errcodeOf } from '../wechat/errcodes.js'

const CHUNK = 500
/** Lets uploads and a run through between two chunks. */
const PAUSE_MS = 10

export interface BroughtBack {
  /** Persons who receive messages again. */
  people: number
  /** Subscriptions that a later accept had voided because of the refusal, and that are unspent again. */
  permits: number
}

export interface BringBackOptions {
  appId: string
  runIds: number[]
  /** Only refusals at this moment (ms) or later. */
  since: number
  dryRun: boolean
  signal: AbortSignal
  onProgress?(people: number): void
}

/**
 * Undoes what the refusals of these runs recorded, and nothing else: a person is brought back only from the
 * stop that exactly this message recorded, so the person's own wish and a later refusal stay. Works chunk by
 * chunk, each in its own transaction; repeating it changes nothing. The permits that the refused messages
 * spent stay spent.
 */
export async function bringBack(db: Knex, options: BringBackOptions, now: number): Promise<BroughtBack> {
  const { runIds, since, signal } = options
  const total: BroughtBack = { people: 0, permits: 0 }
  for (const runId of runIds) {
    let after = 0
    while (!signal.aborted) {
      const { refusals, next } = await findRefusals(db, runId, { after, since, limit: CHUNK })
      if (refusals.length > 0) {
        const done = await bringBackChunk(db, options, refusals, now)
        total.people += done.people
        total.permits += done.permits
        options.onProgress?.(total.people)
        await sleep(PAUSE_MS)
      }
      if (next === undefined) break
      after = next
    }
  }
  return total
}

/** Lock order: persons, permits by id, counters by user. */
async function bringBackChunk(
  db: Knex,
  { appId, dryRun }: BringBackOptions,
  refusals: RefusedMessage[],
  now: number,
): Promise<BroughtBack> {
  const refused = refusals.map(({ id, open_id }) => ({ openId: open_id, messageId: id }))
  const ids = refusals.map(({ id }) => id)
  return inTransaction(db, async (trx) => {
    const people = await store.lockStoppedBy(trx, appId, refused)
    const voided = await subscriptions.findVoidedBy(trx, ids, CODE.refusedByUser)
    if (dryRun) return { people: people.length, permits: voided.length }
    for (const kind of ['opt_out', 'block'] as const) {
      const openIds = people.filter((person) => errcodeOf(person.stop_errcode).stops === kind)
      await store.liftStops(
        trx,
        appId,
        openIds.map(({ open_id }) => open_id),
        kind,
        now,
      )
    }
    const permits = await restoreVoided(
      trx,
      appId,
      voided.map(({ id }) => id),
      now,
    )
    return { people: people.length, permits }
  })
}
