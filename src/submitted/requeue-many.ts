import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Knex } from 'knex'
import type { Account } from '../account.js'
import type { ErrorCode } from '../errors.js'
import { chunks } from '../lib/chunks.js'
import type { DeadFilter } from './dead-store.js'
import { findDead } from './requeue-store.js'
import { type Refusal, requeueTogether } from './requeue-together.js'

const CHUNK = 100
/** So many messages are named, however many there are. */
export const MAX_NAMED = 1_000

/** Which dead letters: these, or all of the account that a filter means. */
export type Which = { ids: number[] } | ({ all: true } & DeadFilter)

export interface Requeued {
  /** Up to MAX_NAMED of them. */
  queued: number[]
  /** Those that stay as they were, and why; up to MAX_NAMED of them. */
  refused: { id: number; code: ErrorCode; message: string }[]
  /** Of all. */
  counts: { queued: number; refused: Partial<Record<ErrorCode, number>> }
}

/**
 * Queues dead letters again, the oldest first, some in a transaction: one that cannot go out any more, or whose user has
 * as many messages waiting as may be, does not keep the others. May be cut short by the signal, and
 * repeated.
 */
export async function requeueMany(
  db: Knex,
  { appId }: Pick<Account, 'appId'>,
  which: Which,
  { notAfter, signal, now }: { notAfter: number | undefined; signal: AbortSignal; now: () => number },
): Promise<Requeued> {
  const requeued: Requeued = { queued: [], refused: [], counts: { queued: 0, refused: {} } }
  for await (const ids of chunksOf(db, appId, which)) {
    if (signal.aborted) break
    const refusals = ids.length === 0 ? [] : await requeueTogether(db, appId, { ids, notAfter }, now())
    for (const [id, refusal] of refusals) note(requeued, id, refusal)
    // SQLite's driver lets nothing in meanwhile.
    await nextTurn()
  }
  return requeued
}

/** How many stay as they were, and the codes that say why. */
export function stayingOf({ counts }: Requeued): { messages: number; why: string } {
  const reasons = Object.entries(counts.refused)
  return {
    messages: reasons.reduce((sum, [, n]) => sum + n, 0),
    why: reasons.map(([code, n]) => `${code} ${n}`).join(', '),
  }
}

function note({ queued, refused, counts }: Requeued, id: number, refusal: Refusal): void {
  if (!refusal) {
    counts.queued++
    if (queued.length < MAX_NAMED) queued.push(id)
    return
  }
  const { code, message } = refusal
  counts.refused[code] = (counts.refused[code] ?? 0) + 1
  if (refused.length < MAX_NAMED) refused.push({ id, code, message })
}

async function* chunksOf(db: Knex, appId: string, which: Which): AsyncGenerator<number[]> {
  if ('ids' in which) {
    yield* chunks(which.ids, CHUNK)
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
