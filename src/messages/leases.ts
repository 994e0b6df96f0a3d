import type { Knex } from 'knex'
import { MAX_LIST } from '../db/sql.js'
import { chunks } from '../lib/chunks.js'
import { groupBy } from '../lib/group-by.js'
import type { Logger } from '../lib/logger.js'
import { renewLeases } from './lease-store.js'
import type { HeldMessage } from './message.js'

/** A lease lasts seconds: a crash can delay a message by that long. */
export const LEASE_MS = 15_000

/** The messages that this process holds. Their leases are renewed for as long as it holds them. */
export interface Leases {
  hold(messages: HeldMessage[]): void
  /**
   * Whether this process may still act on the message. A process that was paused past its lease may not: another may
   * have it.
   */
  isHeld(message: HeldMessage): boolean
  release(id: number): void
  readonly size: number
  stop(): void
}

export function createLeases(db: Knex, leaseMs: number, log: Logger): Leases {
  const held = new Map<number, HeldMessage>()
  let renewing = false

  async function renew(): Promise<void> {
    const leaseDeadline = performance.now() + leaseMs
    // A lapsed lease is not renewed: another process may have taken the message over, or may do so at any moment.
    const mine = [...held.values()].filter((message) => message.leaseDeadline > performance.now())
    for (const [fence, messages] of groupBy(mine, (message) => message.fence)) {
      const sorted = messages.sort((a, b) => a.id - b.id)
      for (const chunk of chunks(sorted, MAX_LIST)) {
        await renewLeases(
          db,
          fence,
          chunk.map(({ id }) => id),
          leaseMs,
        )
        for (const message of chunk) message.leaseDeadline = leaseDeadline
      }
    }
  }

  const timer = setInterval(() => {
    if (renewing || held.size === 0) return
    renewing = true
    renew()
      .catch((error: unknown) =>
        log.warn({ event: 'lease.renewal_failed', err: error }, 'leases not renewed'),
      )
      .finally(() => {
        renewing = false
      })
  }, leaseMs / 3)
  timer.unref()

  return {
    hold(messages) {
      for (const message of messages) held.set(message.id, message)
    },
    isHeld: (message) => message.leaseDeadline > performance.now(),
    release: (id) => held.delete(id),
    get size() {
      return held.size
    },
    stop: () => clearInterval(timer),
  }
}
