import type { Knex } from 'knex'
import type { Logger } from '../lib/logger.js'
import { closeClaims, renewClaims } from './lease-store.js'
import type { HeldMessage, Lease } from './message.js'

/** A lease lasts seconds: a crash can delay a message by that long. */
export const LEASE_MS = 15_000

/** The claims whose messages this process holds. Their leases are renewed for as long as it holds any of them. */
export interface Leases {
  hold(messages: HeldMessage[]): void
  /**
   * Whether this process may still act on the message. A process that was paused past its lease may not: another may
   * have it.
   */
  isHeld(message: HeldMessage): boolean
  /** The message is settled, or was taken over. */
  release(message: HeldMessage): void
  /** The message stays unsettled, and its claim with it, for whoever finds the lease lapsed. */
  leave(message: HeldMessage): void
  /** Deletes the claims of which all messages have been released. If it fails, a takeover finds them empty. */
  closeReleased(): Promise<void>
  /** How many messages are held. */
  readonly size: number
  stop(): void
}

interface Held {
  messages: number
  /** One of its messages was left unsettled: the claim must outlive us. */
  isLeft: boolean
}

export function createLeases(db: Knex, leaseMs: number, log: Logger): Leases {
  const held = new Map<Lease, Held>()
  let released: number[] = []
  let size = 0
  let renewing = false

  async function renew(): Promise<void> {
    const deadline = performance.now() + leaseMs
    // A lapsed lease is not renewed: another process may have taken the messages over, or may do so at any moment.
    const mine = [...held.keys()].filter((lease) => lease.deadline > performance.now())
    if (mine.length === 0) return
    const renewed = new Set(
      await renewClaims(
        db,
        mine.map(({ claimId }) => claimId),
        leaseMs,
      ),
    )
    for (const lease of mine)
      lease.deadline = renewed.has(lease.claimId) ? deadline : Number.NEGATIVE_INFINITY
  }

  function letGo({ lease }: HeldMessage, isLeft: boolean): void {
    const claim = held.get(lease)
    if (!claim) return
    size--
    claim.isLeft ||= isLeft
    if (--claim.messages > 0) return
    held.delete(lease)
    if (!claim.isLeft) released.push(lease.claimId)
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
      for (const { lease } of messages) {
        const claim = held.get(lease)
        if (claim) claim.messages++
        else held.set(lease, { messages: 1, isLeft: false })
      }
      size += messages.length
    },
    isHeld: ({ lease }) => lease.deadline > performance.now(),
    release: (message) => letGo(message, false),
    leave: (message) => letGo(message, true),
    async closeReleased() {
      const claimIds = released
      released = []
      await closeClaims(db, claimIds).catch((error: unknown) =>
        log.warn({ event: 'lease.close_failed', err: error }, 'finished claims not deleted'),
      )
    },
    get size() {
      return size
    },
    stop: () => clearInterval(timer),
  }
}
