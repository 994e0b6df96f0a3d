import { randomUUID } from 'node:crypto'
import type { Knex } from 'knex'
import { SECOND_MS } from '../lib/durations.js'
import { pause } from '../lib/pause.js'
import type { Auxiliary } from '../wechat/auxiliary.js'
import * as store from './store.js'

/** What asks WeChat about an account. */
export interface PlatformDeps {
  db: Knex
  auxiliary: Auxiliary
  now(): number
}

/** The answer as JSON, or why there was none. */
export type Told = { answer: string } | { failure: string }

export interface Question extends store.Subject {
  /** For which run it is asked; '' = for whoever looks. */
  askedFor: string
  /** Whether what is kept will do. */
  isFresh(kept: store.KeptRow): boolean
  ask(signal: AbortSignal): Promise<Told>
}

/** What is kept after a question. `isNew`: it was asked since, here or by another process. */
export interface Kept extends store.KeptRow {
  isNew: boolean
}

const POLL_MS = 100

/**
 * What WeChat says: as kept if that will do, else asked now, by one of all the processes that want to know. The others
 * wait for its answer, and ask themselves if it dies or freezes. Takes some four times the time of an auxiliary call at
 * most, and then returns what there is. Throws only if the database does.
 */
export async function askOnce(
  { db, auxiliary, now }: PlatformDeps,
  question: Question,
  signal: AbortSignal,
): Promise<Kept> {
  const first = (await store.findKept(db, question)) ?? NOTHING
  if (first.version > 0 && question.isFresh(first)) return { ...first, isNew: false }
  const owner = randomUUID()
  // A list may take two calls' time. The lease outlasts it, and the wait outlasts the lease.
  const leaseMs = 2 * auxiliary.timeoutMs + 2 * SECOND_MS
  const giveUpAt = performance.now() + leaseMs + SECOND_MS
  for (;;) {
    if (await store.takeLease(db, question, { owner, version: first.version, leaseMs })) {
      await settle(db, question, owner, await question.ask(signal), now(), signal)
      break
    }
    await pause(POLL_MS, signal)
    const { version } = (await store.findKept(db, question)) ?? NOTHING
    if (version !== first.version || performance.now() > giveUpAt || signal.aborted) break
  }
  const last = (await store.findKept(db, question)) ?? NOTHING
  return { ...last, isNew: last.version !== first.version }
}

const NOTHING: store.KeptRow = { answer: null, answered_at: null, failure: null, asked_for: '', version: 0 }

/** A question that a stop cut short was not asked. */
function settle(
  db: Knex,
  question: Question,
  owner: string,
  told: Told,
  at: number,
  signal: AbortSignal,
): Promise<void> {
  const { askedFor } = question
  if ('answer' in told) return store.writeAnswer(db, question, owner, { answer: told.answer, at, askedFor })
  if (signal.aborted) return store.releaseLease(db, question, owner)
  return store.writeFailure(db, question, owner, { failure: told.failure, askedFor })
}
