import type { Channel } from '../channel.js'
import { beijingDay, dayToDate } from './clock.js'

/** One message that reached a user. Control plane records have the same shape in process and in JSON. */
export interface Delivery {
  seq: number
  at: number
  app_id: string
  channel: Channel
  open_id: string
  template_id: string
  form_id: string | null
  page: string | null
  data: unknown
  /** A 64-bit number in digits; the form_id channel has none. */
  msgid: string | null
  /** Whether the client got the true answer, as far as the server side can tell. */
  answered: boolean
}

export interface Summary {
  delivered: number
  /** Delivered, but the client was left without the true answer. */
  unanswered: number
  users: number
  /** How many times a user got more than one message on one Beijing day. */
  repeated: number
  /** The first hundred of these. */
  repeats: { app_id: string; open_id: string; date: number; count: number }[]
}

const REPEATS_SHOWN = 100

// Odd and far above 2^53: a client that keeps it in a double gets a different number.
const FIRST_MSGID = 4_100_000_000_000_000_001n

export class Ledger {
  readonly #kept: number
  #deliveries: Delivery[] = []
  #recorded = 0
  #msgids = 0n

  constructor(kept: number) {
    this.#kept = kept
  }

  /** All that were ever delivered. */
  get size(): number {
    return this.#recorded
  }

  get forgotten(): number {
    return this.#recorded - this.#deliveries.length
  }

  record(message: Omit<Delivery, 'seq' | 'msgid' | 'answered'>): Delivery {
    this.#recorded += 1
    const delivery: Delivery = {
      seq: this.#recorded,
      ...message,
      msgid: message.channel === 'form_id' ? null : this.newMsgid(),
      answered: false,
    }
    this.#deliveries.push(delivery)
    // A tenth at once, because each time moves all the others.
    if (this.#deliveries.length > this.#kept) this.#deliveries.splice(0, Math.ceil(this.#kept / 10))
    return delivery
  }

  /** The deliveries after a seq, oldest first. */
  page(after = 0, limit = Number.POSITIVE_INFINITY): Delivery[] {
    const from = Math.max(0, after - this.forgotten)
    return this.#deliveries.slice(from, from + limit)
  }

  /** Of all that are kept, or for one Beijing day (YYYYMMDD). */
  summary(date?: number): Summary {
    const users = new Set<string>()
    const perDay = new Map<string, Summary['repeats'][number]>()
    const summary: Summary = { delivered: 0, unanswered: 0, users: 0, repeated: 0, repeats: [] }
    let [knownDay, knownDate] = [Number.NaN, 0]
    for (const { at, app_id, open_id, answered } of this.#deliveries) {
      const day = beijingDay(at)
      if (day !== knownDay) [knownDay, knownDate] = [day, dayToDate(day)]
      if (date !== undefined && date !== knownDate) continue
      summary.delivered += 1
      if (!answered) summary.unanswered += 1
      users.add(`${app_id} ${open_id}`)
      const key = `${knownDate} ${app_id} ${open_id}`
      const entry = perDay.get(key)
      if (entry) entry.count += 1
      else perDay.set(key, { app_id, open_id, date: knownDate, count: 1 })
    }
    const repeats = [...perDay.values()].filter((entry) => entry.count > 1)
    return {
      ...summary,
      users: users.size,
      repeated: repeats.length,
      repeats: repeats.slice(0, REPEATS_SHOWN),
    }
  }

  /** For a message that is accepted; `record` takes one by itself. */
  newMsgid(): string {
    const msgid = FIRST_MSGID + 2n * this.#msgids
    this.#msgids += 1n
    return msgid.toString()
  }

  clear(): void {
    this.#deliveries = []
    this.#recorded = 0
    this.#msgids = 0n
  }
}
