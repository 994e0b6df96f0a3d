import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { ServiceError } from '../errors.js'
import type { DeadFilter } from './dead-store.js'
import { requeueMessage } from './requeue.js'
import { findDead } from './requeue-store.js'

const CHUNK = 100

/** Which dead letters: these, or all of the account that a filter means. */
export type Which = { ids: number[] } | ({ all: true } & DeadFilter)

export interface Requeued {
  queued: number[]
  /** Those that stay as they were, and why. */
  refused: { id: number; code: string; message: string }[]
}

/**
 * Queues dead letters again, the oldest first, each in a transaction of its own: one that cannot go out any more does not
 * keep the others. May be cut short by the signal, and repeated.
 */
export async function requeueMany(
  db: Knex,
  account: Account,
  which: Which,
  { notAfter, signal, now }: { notAfter: number | undefined; signal: AbortSignal; now: () => number },
): Promise<Requeued> {
  const requeued: Requeued = { queued: [], refused: [] }
  for await (const ids of chunksOf(db, account.appId, which))
    for (const id of ids) {
      if (signal.aborted) return requeued
      try {
        await requeueMessage(db, account, { id, notAfter }, now())
        requeued.queued.push(id)
      } catch (error) {
        if (!(error instanceof ServiceError) || error.status >= 500) throw error
        requeued.refused.push({ id, code: error.code, message: error.message })
      }
    }
  return requeued
}

async function* chunksOf(db: Knex, appId: string, which: Which): AsyncGenerator<number[]> {
  if ('ids' in which) {
    yield which.ids
    return
  }
  const { templateId, errcode } = which
  const isMeant = (row: { template_id: string; errcode: number | null }): boolean =>
    (templateId === undefined || row.template_id === templateId) &&
    (errcode === undefined || row.errcode === errcode)
  for (let after: number | undefined = 0; after !== undefined; ) {
    const rows = await findDead(db, appId, after, CHUNK)
    yield rows.filter(isMeant).map(({ id }) => id)
    after = rows.length < CHUNK ? undefined : rows.at(-1)?.id
  }
}
