import type { Knex } from 'knex'
import { selectRows } from '../../src/db/sql.js'

interface Ended {
  id: number
  /** How often it was queued again after it had ended: each time it ends anew. */
  requeues: number
  state: string
  attempts: number
  settled_at: number
}

/** Longer than a look at a busy database takes. */
const OVERLAP_MS = 5_000

/**
 * Messages that were seen to have ended. The end is written once: another verdict on the same row, even the same one,
 * comes from somebody who did not hold the message any more.
 */
export class EndingsWatch {
  readonly #ended = new Map<string, Ended>()
  readonly #changed = new Map<string, { seen: Ended; now: Ended }>()
  #since = 0

  async look(db: Knex, now: number): Promise<void> {
    await this.#compare(db, this.#since)
    this.#since = now - OVERLAP_MS
  }

  /** All messages that ended more than once. */
  async findSettledTwice(db: Knex): Promise<object[]> {
    await this.#compare(db, 0)
    return [...this.#changed.values()]
  }

  async #compare(db: Knex, since: number): Promise<void> {
    const rows = await selectRows<Ended & { settled_at: number | null; delivery_status: string | null }>(
      db,
      `SELECT m.id, COALESCE(s.requeues, 0) AS requeues, m.state, m.attempts, m.settled_at, m.delivery_status
       FROM wx_push_message m LEFT JOIN wx_submitted_message s ON s.message_id = m.id WHERE m.updated_at >= ?`,
      [since],
    )
    for (const { id, requeues, state, attempts, settled_at, delivery_status } of rows) {
      const now = { id, requeues, state, attempts, settled_at: settled_at ?? 0 }
      const life = `${id} ${requeues}`
      const seen = this.#ended.get(life)
      // WeChat's event tells in the end what became of the message.
      if (seen?.state === 'unknown' && delivery_status !== null) continue
      if (seen && JSON.stringify(seen) !== JSON.stringify(now)) this.#changed.set(life, { seen, now })
      if (!seen && now.settled_at > 0) this.#ended.set(life, now)
    }
  }
}
