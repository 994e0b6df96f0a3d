import { describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import type { JudgedMessage } from '../../src/messages/judged.js'
import type { HeldMessage } from '../../src/messages/message.js'
import { takeOver } from '../../src/messages/recovery.js'
import { settleBatch } from '../../src/messages/settle.js'
import type { Verdict } from '../../src/messages/verdict.js'
import { addOutcomes, type OutcomeChange } from '../../src/runs/outcomes.js'
import { claimAll } from '../helpers/claims.js'
import { MINUTE_MS, NOW } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { openPool, recordErrors } from '../helpers/rows.js'
import { openSteppingPool } from '../helpers/stepping-pool.js'
import { users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

interface OutcomeRow {
  outcome: string
  errcode: number
  cause: string
  messages: number
  first_seen_at: number | null
  last_seen_at: number | null
  sample_rid: string | null
  sample_message_id: number | null
}

describe.each(dialects)('the outcomes of a run on %s', (dialect) => {
  const world = useWorld(dialect)
  /** Another process, which on MySQL waits for locks as long as it takes. */
  const another = () => (dialect === 'mysql' ? openSteppingPool(world.database).db : openPool(world.database))

  /** Summed up over shards, as `outcome errcode cause: messages`; those that came to nothing are left out. */
  async function counts(): Promise<string[]> {
    const sums = new Map<string, number>()
    for (const { outcome, errcode, cause, messages } of await rows()) {
      const key = [outcome, errcode || '', cause].filter((part) => part !== '').join(' ')
      sums.set(key, (sums.get(key) ?? 0) + messages)
    }
    return [...sums].flatMap(([key, messages]) => (messages === 0 ? [] : [`${key}: ${messages}`])).sort()
  }
  const rows = (): Promise<OutcomeRow[]> =>
    selectRows(world.db, 'SELECT * FROM wx_run_outcome ORDER BY outcome, errcode, cause, shard')

  const judged = (
    messages: HeldMessage[],
    verdict: Verdict,
    answer: Partial<JudgedMessage['answer']> = {},
  ): JudgedMessage[] =>
    messages.map((message) => ({
      message,
      verdict,
      answer: { errcode: null, errmsg: null, rid: null, msgid: null, ...answer },
      attempted: true,
    }))

  test('count each claim and verdict at its commit, by code or cause', async () => {
    await world.has(users(1, 20).permits(2))
    const claimed = await claimAll(world)
    expect(await counts()).toEqual(['claimed: 20'])
    const of = (from: number, to: number) => claimed.slice(from, to)
    await settleBatch(
      world.db,
      [
        ...judged(of(0, 5), { kind: 'delivered' }),
        ...judged(of(5, 8), { kind: 'failed' }, { errcode: 43101, rid: 'rid-43101' }),
        ...judged(of(8, 10), { kind: 'unknown' }, { errmsg: 'ambiguous: timeout' }),
        ...judged(of(10, 12), { kind: 'retry', afterMs: 0, maybeSent: false }, { errcode: -1 }),
        ...judged(of(12, 13), { kind: 'give_back' }, { errcode: 40037 }),
        ...judged(of(13, 15), { kind: 'next_permit' }, { errcode: 41028 }),
        {
          ...(judged(
            of(15, 16),
            { kind: 'give_back' },
            { errmsg: 'not sent: the run halted' },
          )[0] as JudgedMessage),
          attempted: false,
        },
      ],
      world.clock.now(),
    )
    expect(await counts()).toEqual([
      'cancelled 40037: 1',
      'cancelled not_sent: 1',
      'claimed: 20',
      'delivered: 5',
      'failed 43101: 3',
      'next_permit 41028: 2',
      'retried -1: 2',
      'unknown ambiguous: 2',
      'waiting: 2',
    ])
    const failed = (await rows()).find(({ outcome }) => outcome === 'failed')
    expect(failed).toMatchObject({ first_seen_at: NOW, last_seen_at: NOW, sample_rid: 'rid-43101' })
    expect(of(5, 8).map(({ id }) => id)).toContain(failed?.sample_message_id)
    // A verdict that comes too late counts nothing.
    await settleBatch(world.db, judged(of(0, 8), { kind: 'unknown' }), world.clock.now())
    expect(await counts()).toContain('unknown ambiguous: 2')
    await world.lapseLeases()
    world.clock.advance(MINUTE_MS)
    const { taken } = await takeOver(world.db, world.account, {
      limit: 99,
      leaseMs: 1,
      now: world.clock.now(),
    })
    // Two that waited, the four that nobody has settled, and the two with their next permit.
    expect(taken).toBe(8)
    expect(await counts()).not.toContain('waiting: 2')
  })

  test('are exact after processes on several pools settled at the same time, without a deadlock', async () => {
    await world.has(users(1, 400).permits(2))
    const claimed = await claimAll(world)
    const pools = [another(), another()]
    const errors = pools.flatMap((pool) => recordErrors(pool, (sql) => sql.includes('wx_run_outcome')))
    const kinds: Verdict[] = [
      { kind: 'delivered' },
      { kind: 'failed' },
      { kind: 'give_back' },
      { kind: 'next_permit' },
      { kind: 'retry', afterMs: 0, maybeSent: false },
    ]
    try {
      await Promise.all(
        Array.from({ length: 20 }, (_, i) => {
          const mine = claimed.slice(i * 20, i * 20 + 20)
          const all = kinds.flatMap((kind, k) =>
            judged(mine.slice(k * 4, k * 4 + 4), kind, { errcode: 41028 }),
          )
          return settleBatch(pools[i % 2] ?? world.db, all, world.clock.now())
        }),
      )
    } finally {
      for (const pool of pools) await pool.destroy()
    }
    expect(errors).toEqual([])
    expect(await counts()).toEqual([
      'cancelled 41028: 80',
      'claimed: 400',
      'delivered 41028: 80',
      'failed 41028: 80',
      'next_permit 41028: 80',
      'retried 41028: 80',
      'waiting: 80',
    ])
  })

  test('written in any order by many transactions at once wait for each other and do not deadlock', async () => {
    const pools = [another(), another()]
    const errors = pools.flatMap((pool) => recordErrors(pool))
    const change = (errcode: number): OutcomeChange => ({
      runId: 1,
      outcome: 'failed',
      errcode,
      cause: '',
      templateId: 't',
      messages: 1,
    })
    const upwards = [1, 2, 3, 4, 5, 6, 7, 8].map(change)
    try {
      await Promise.all(
        Array.from({ length: 40 }, async (_, i) => {
          const changes = i % 2 === 0 ? upwards : [...upwards].reverse()
          const pool = pools[i % 2] ?? world.db
          for (;;) {
            try {
              return await pool.transaction((trx) => addOutcomes(trx, changes, NOW))
            } catch (error) {
              // SQLite has one writer, and this pool does not wait inside the driver.
              if (dialect === 'mysql') throw error
            }
          }
        }),
      )
    } finally {
      for (const pool of pools) await pool.destroy()
    }
    if (dialect === 'mysql') expect(errors).toEqual([])
    expect(await counts()).toEqual(upwards.map(({ errcode }) => `failed ${errcode}: 40`))
  })
})
