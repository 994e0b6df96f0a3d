import type { Knex } from 'knex'
import { placeholders, selectRows } from '../../src/db/sql.js'

interface Held {
  claimId: number
  leaseUntil: number
  /** Kills that may have left it, oldest first. */
  kills: number[]
}

interface Row {
  id: number
  state: string
  claim_id: number
  lease_until: number | null
}

const MAX_WATCHED = 500

/**
 * How long after a kill its messages were in other hands. The table does not say whose a message is; but one whose
 * lease nobody renewed, and whose claim changed after that lease had run out, was left by the process that was killed.
 */
export class ResumeWatch {
  /** ms from a kill to the first and to the last takeover of what it left. */
  readonly #first = new Map<number, number>()
  readonly #last = new Map<number, number>()
  readonly #watched = new Map<number, Held>()

  async noteKill(db: Knex, killedAt: number): Promise<void> {
    const rows = await selectRows<Row>(
      db,
      `SELECT m.id, m.state, m.claim_id, c.lease_until FROM wx_claim c JOIN wx_push_message m ON m.claim_id = c.id
       WHERE m.state IN ('queued', 'sending') LIMIT ${MAX_WATCHED}`,
    )
    for (const { id, claim_id: claimId, lease_until } of rows) {
      const held = this.#watched.get(id)
      if (held?.claimId === claimId) held.kills.push(killedAt)
      else if (this.#watched.size < MAX_WATCHED)
        this.#watched.set(id, { claimId, leaseUntil: lease_until ?? 0, kills: [killedAt] })
    }
  }

  async look(db: Knex, now: number): Promise<void> {
    if (this.#watched.size === 0) return
    const ids = [...this.#watched.keys()]
    const rows = await selectRows<Row>(
      db,
      `SELECT m.id, m.state, m.claim_id, c.lease_until FROM wx_push_message m LEFT JOIN wx_claim c ON c.id = m.claim_id
       WHERE m.id IN (${placeholders(ids.length)})`,
      ids,
    )
    for (const row of rows) {
      const held = this.#watched.get(row.id)
      if (held) this.#compare(row, held, now)
    }
  }

  #compare({ id, state, claim_id: claimId, lease_until }: Row, held: Held, now: number): void {
    if (claimId === held.claimId && state === 'sending') {
      // Somebody renews it: whoever was killed before then did not hold it.
      if (lease_until !== null && lease_until > held.leaseUntil) {
        held.leaseUntil = lease_until
        held.kills = held.kills.filter((killedAt) => now - killedAt < 300)
        if (held.kills.length === 0) this.#watched.delete(id)
      }
      return
    }
    this.#watched.delete(id)
    const killedAt = held.kills[0]
    if (claimId === held.claimId || now < held.leaseUntil || killedAt === undefined) return
    const took = now - killedAt
    this.#first.set(killedAt, Math.min(took, this.#first.get(killedAt) ?? took))
    this.#last.set(killedAt, Math.max(took, this.#last.get(killedAt) ?? took))
  }

  summary() {
    return { first: distribution([...this.#first.values()]), last: distribution([...this.#last.values()]) }
  }
}

export interface Distribution {
  kills: number
  p50_ms: number
  p95_ms: number
  max_ms: number
}

function distribution(values: number[]): Distribution {
  const sorted = values.sort((a, b) => a - b)
  const at = (share: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0)
  return { kills: sorted.length, p50_ms: at(0.5), p95_ms: at(0.95), max_ms: at(1) }
}
