import type { Knex } from 'knex'
import type { Logger } from '../lib/logger.js'
import type { Brake } from './brake.js'
import type { HeldMessage, MessageKind } from './message.js'
import type { SendingObserver } from './observer.js'
import type { Rate } from './rate.js'
import type { Send } from './send.js'
import type { Shares } from './shares.js'
import type { Tally } from './tally.js'
import type { Timed } from './window.js'

/** Where claimed messages come from. They are in the database, leased by this process. */
export interface Source {
  /**
   * Returns the next messages; empty = ask again; undefined = there are no more. `idle` waits until no message is in
   * hand; it resolves to false if the delivery was stopped and wants nothing more.
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
  /** Divides the concurrency among the kinds of messages that are sent at the same time. */
  shares: Shares
  /** Shared by everything that sends for this account. */
  rate: Rate
  observe: SendingObserver
}

export interface DeliverOptions {
  kind: MessageKind
  brake: Brake
  /** When the sending window of a message closes, in ms. From then on its request does not leave. */
  closesAt(message: Timed): number
  /** Stops claiming and sending; what is under way is finished, what was not sent is given back. */
  signal: AbortSignal
  onProgress?(tally: Tally): void
}
