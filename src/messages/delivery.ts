import type { Knex } from 'knex'
import type { Logger } from '../lib/logger.js'
import type { Brake } from './brake.js'
import type { HeldMessage } from './message.js'
import type { Rate } from './rate.js'
import type { Send } from './send.js'
import type { Tally } from './tally.js'

/** Where claimed messages come from. They are in the database, with a lease of this process. */
export interface Source {
  /**
   * The next ones; empty = ask again; undefined = there are no more. `idle` waits until none is in hand; false = it has
   * been stopped, and nothing more is wanted.
   */
  next(idle: () => Promise<boolean>): Promise<HeldMessage[] | undefined>
}

export interface DeliverDeps {
  db: Knex
  send: Send
  now(): number
  /** In [0, 1): spreads the retries. */
  random(): number
  log: Logger
  leaseMs: number
  concurrency: number
  /** The same one for everything that sends for this account. */
  rate: Rate
}

export interface DeliverOptions {
  brake: Brake
  /** When the sending window of a business date closes, in ms. From then on no request leaves. */
  closesAt(businessDate: number | null): number
  /** Stops claiming and sending; what is under way is finished, what was not sent is given back. */
  signal: AbortSignal
  onProgress?(tally: Tally): void
}
