import type { Knex } from 'knex'
import { NEVER_EXPIRES, purgePermits } from '../books/index.js'
import { createRest } from '../db/rest.js'
import { inTransaction } from '../db/transaction.js'
import { DAY_MS } from '../lib/durations.js'
import { groupBy } from '../lib/group-by.js'
import { sortedUnique } from '../lib/sorted.js'
import { findPlace, type Place } from '../permits/store.js'
import { deleteRuns } from '../runs/purge-progress.js'
import { oldestKept } from '../sign-ins/sign-in.js'
import * as store from './store.js'
import { deleteSummaries } from './summary-store.js'

const CHUNK = 500
/** Of submitted messages, which have rows in four tables: the events that backends were told of have five keys each. */
const CHUNK_OF_SUBMITTED = 200
/** For so long at least, a request with an Idempotency-Key gets the answer that it got. */
const KEY_LIFE_MS = DAY_MS

export interface Purged {
  messages: number
  permits: number
  runs: number
  signIns: number
  events: number
  /** Opt-outs and blocks that are over. */
  stops: number
}

export interface Deletion {
  /** What has been deleted so far. */
  readonly purged: Purged
  /** Deletes until nothing is old, or until the signal is given. */
  run(): Promise<void>
}

type Deleted = Partial<Purged>

/**
 * Deletes what ended before `before`, a few hundred rows at a time and with a rest after each: settled messages together
 * with their permits once both are that old, then spent and expired permits without a message, then runs without
 * messages, sign-ins, WeChat's events, stops that are over, and summaries. Never deletes a row that a younger row
 * refers to, so that the audit finds the same before and after.
 */
export function createDeletion(
  db: Knex,
  signal: AbortSignal,
  of: { appId: string; timezone: string; retentionDays: number; before: number; now: number },
): Deletion {
  const { appId, before } = of
  const wanted = { appId, before, limit: CHUNK }
  const rest = createRest(db, signal)
  const purged: Purged = { messages: 0, permits: 0, runs: 0, signIns: 0, events: 0, stops: 0 }

  async function remove(work: (trx: Knex.Transaction) => Promise<Deleted>): Promise<void> {
    // Counted after the commit, because a transaction that met another one starts over.
    const deleted = await inTransaction(db, work)
    for (const kind of Object.keys(purged) as (keyof Purged)[]) purged[kind] += deleted[kind] ?? 0
  }

  async function fromTable(
    read: (db: Knex, after: number, wanted: store.Wanted) => Promise<store.Slice>,
    removeRows: (trx: Knex.Transaction, ids: number[]) => Promise<Deleted>,
  ): Promise<void> {
    for (let position: number | undefined = 0; position !== undefined && !signal.aborted; ) {
      const startedAt = performance.now()
      const { old, next } = await read(db, position, wanted)
      if (old.length > 0) await remove((trx) => removeRows(trx, old))
      await rest.after(startedAt)
      position = next
    }
  }

  async function messages(): Promise<void> {
    const ofRun = (runId: number | null, limit = CHUNK) =>
      fromTable(
        (on, after) => store.readMessages(on, runId, after, { ...wanted, limit }),
        (trx, ids) => deleteMessages(trx, ids, wanted),
      )
    for (let day: number | undefined = 0; day !== undefined && !signal.aborted; ) {
      const runs: { id: number; slot: number }[] = await store.findOldRuns(db, day, wanted)
      for (const { id } of runs) await ofRun(id)
      day = runs.at(-1)?.slot
    }
    await ofRun(null, CHUNK_OF_SUBMITTED)
  }

  async function permitsOfNoMessage(from: Place, until: number): Promise<void> {
    for (let place: Place | undefined = from; place && !signal.aborted; ) {
      const startedAt = performance.now()
      const next: Place | undefined = await findPlace(db, appId, place, until, CHUNK)
      const ids = await store.findOldPermits(db, place, next ?? { expire: until, id: 0 }, wanted)
      if (ids.length > 0) await remove(async (trx) => ({ permits: await purgePermits(trx, ids) }))
      await rest.after(startedAt)
      place = next
    }
  }

  async function signIns(): Promise<void> {
    const beforeDay = oldestKept(of.now, of.retentionDays, of.timezone)
    while (!signal.aborted) {
      const startedAt = performance.now()
      const rows = await store.findOldSignIns(db, appId, beforeDay, CHUNK)
      if (rows.length === 0) return
      for (const [day, group] of groupBy(rows, (row) => row.day)) {
        const users = sortedUnique(group.map((row) => row.user_id))
        await remove(async (trx) => ({ signIns: await store.deleteSignIns(trx, appId, day, users) }))
      }
      await rest.after(startedAt)
    }
  }

  async function received(): Promise<void> {
    await fromTable(
      (on) => store.readAged(on, 'wx_callback_event', wanted),
      async (trx, ids) => ({ events: await store.deleteRows(trx, 'wx_callback_event', ids) }),
    )
    // A push this old is refused for its age anyway.
    await uncounted('wx_callback_nonce', { ...wanted, before: of.now - DAY_MS })
    await uncounted('wx_submission', { ...wanted, before: of.now - KEY_LIFE_MS })
  }

  async function uncounted(table: store.AgingTable, aged = wanted): Promise<void> {
    await fromTable(
      (on) => store.readAged(on, table, aged),
      async (trx, ids) => {
        await store.deleteRows(trx, table, ids)
        return {}
      },
    )
  }

  /** Not counted: a few rows a day. */
  async function summaries(): Promise<void> {
    if (signal.aborted) return
    const beforeDay = oldestKept(of.now, of.retentionDays, of.timezone)
    await remove(async (trx) => {
      await deleteSummaries(trx, appId, beforeDay)
      return {}
    })
  }

  async function endedStops(): Promise<void> {
    await fromTable(
      (on) => store.readAged(on, 'wx_stop_history', wanted),
      async (trx, ids) => ({ stops: await store.deleteRows(trx, 'wx_stop_history', ids) }),
    )
  }

  return {
    purged,
    async run() {
      await messages()
      await permitsOfNoMessage({ expire: 0, id: 0 }, before)
      await permitsOfNoMessage({ expire: NEVER_EXPIRES, id: 0 }, NEVER_EXPIRES + 1)
      await fromTable(store.readRuns, async (trx, ids) => ({ runs: await deleteRuns(trx, ids) }))
      await signIns()
      await received()
      await endedStops()
      await uncounted('wx_operator_action')
      await summaries()
    },
  }
}

/** Lock order: permits, then messages. A message whose permits are not all old stays with them. */
async function deleteMessages(trx: Knex.Transaction, ids: number[], wanted: store.Wanted): Promise<Deleted> {
  const permits = await store.findPermitsOf(trx, ids, wanted)
  const kept = new Set(permits.filter(({ is_old }) => is_old === 0).map(({ message_id }) => message_id))
  const going = permits.filter(({ message_id }) => !kept.has(message_id)).map(({ id }) => id)
  const deleted = await purgePermits(trx, going)
  const messages = ids.filter((id) => !kept.has(id))
  if (messages.length === 0) return {}
  const gone = await store.deleteRows(trx, 'wx_push_message', messages)
  await store.deleteSubmitted(trx, messages)
  return { permits: deleted, messages: gone }
}
