import { describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import type { HeldMessage } from '../../src/messages/message.js'
import { settleBatch } from '../../src/messages/settle.js'
import type { Verdict } from '../../src/messages/verdict.js'
import { findDueRun } from '../../src/reminders/due.js'
import { closeRun } from '../../src/runs/occurrences.js'
import { claimAll } from '../helpers/claims.js'
import { HOUR_MS, SEND_PATH } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { openSteppingPool, someoneWaits } from '../helpers/stepping-pool.js'
import { user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)('the totals of a run on %s', (dialect) => {
  const world = useWorld(dialect)

  async function totals() {
    const [row] = await selectRows<Record<string, number>>(
      world.db,
      'SELECT state, due, delivered, failed, unknown, cancelled, retrying FROM wx_job_run WHERE app_id = ?',
      [world.account.appId],
    )
    return row
  }
  const NONE = { delivered: 0, failed: 0, unknown: 0, cancelled: 0, retrying: 0 }

  const settle = (messages: HeldMessage[], verdict: Verdict, db = world.db) =>
    settleBatch(
      db,
      messages.map((message) => ({
        message,
        verdict,
        answer: { errcode: 41028, errmsg: null, rid: null, msgid: null },
        attempted: true,
      })),
      world.clock.now(),
    )
  const close = async (db = world.db) =>
    closeRun(db, (await world.runs())[0]?.id ?? 0, { state: 'done', reason: null }, world.clock.now())

  test('the totals of a run follow a retry that ends hours after the run', async () => {
    await world.has(user(1).permits(1), user(2).permits(1))
    const process = world.startProcess()
    world.wechat.addFault({ kind: 'errcode', errcode: 43117, times: 1, after: 1, match: { path: SEND_PATH } })
    expect(await process.remind()).toMatchObject({ state: 'done', retrying: 1 })
    expect(await totals()).toEqual({ ...NONE, state: 'done', due: 2, delivered: 1, retrying: 1 })
    world.clock.advance(4 * HOUR_MS)
    await process.recover()
    expect(await totals()).toEqual({ ...NONE, state: 'done', due: 2, delivered: 2 })
  })

  test('the totals of a run follow whatever two processes settle after the end', async () => {
    await world.has(users(1, 60).permits(2))
    const claimed = await claimAll(world)
    await close()
    expect(await totals()).toEqual({ ...NONE, state: 'done', due: 60, retrying: 60 })
    const other = dialect === 'mysql' ? openSteppingPool(world.database) : undefined
    await Promise.all([
      settle(claimed.slice(0, 10), { kind: 'delivered' }),
      settle(claimed.slice(10, 30), { kind: 'give_back' }, other?.db),
      settle(claimed.slice(30, 35), { kind: 'failed' }),
      settle(claimed.slice(35, 42), { kind: 'unknown' }, other?.db),
      settle(claimed.slice(42, 50), { kind: 'retry', afterMs: 0, maybeSent: false }),
      settle(claimed.slice(50, 55), { kind: 'next_permit' }, other?.db),
    ]).finally(() => other?.close())
    expect(await totals()).toEqual({
      state: 'done',
      due: 60,
      delivered: 10,
      cancelled: 20,
      failed: 5,
      unknown: 7,
      retrying: 18,
    })
    // A verdict that comes too late moves nothing.
    await settle(claimed.slice(0, 35), { kind: 'unknown' })
    expect(await totals()).toMatchObject({ delivered: 10, cancelled: 20, failed: 5, unknown: 7 })
  })

  test('the totals of a run are counted when the window of an abandoned run has closed', async () => {
    await world.has(users(1, 3).permits(1))
    const claimed = await claimAll(world)
    await settle(claimed.slice(0, 1), { kind: 'delivered' })
    world.clock.advance(13 * HOUR_MS)
    expect(await findDueRun(world.db, world.account, world.clock.now())).toBeUndefined()
    expect(await totals()).toEqual({ ...NONE, state: 'window_closed', due: 3, delivered: 1, retrying: 2 })
  })

  if (dialect === 'mysql') {
    test('miss no settlement that is under way while the run ends', async () => {
      await world.has(users(1, 2).permits(1))
      const claimed = await claimAll(world)
      const settling = openSteppingPool(world.database)
      const written = settling.stop('after', /^UPDATE wx_push_message FORCE INDEX \(PRIMARY\) SET state/i)
      try {
        const settled = settle(claimed, { kind: 'delivered' }, settling.db)
        await written.reached
        const closed = close()
        await someoneWaits(world.db)
        written.goOn()
        await Promise.all([settled, closed])
      } finally {
        await settling.close()
      }
      expect(await totals()).toEqual({ ...NONE, state: 'done', due: 2, delivered: 2 })
    })

    test('the totals of a run count a settlement that begins while the run ends, once', async () => {
      await world.has(users(1, 2).permits(1))
      const claimed = await claimAll(world)
      const closing = openSteppingPool(world.database)
      const counted = closing.stop('after', /SUM\(messages\) AS messages/)
      try {
        const closed = close(closing.db)
        await counted.reached
        const settled = settle(claimed, { kind: 'delivered' })
        await someoneWaits(world.db)
        counted.goOn()
        await Promise.all([settled, closed])
      } finally {
        await closing.close()
      }
      expect(await totals()).toEqual({ ...NONE, state: 'done', due: 2, delivered: 2 })
    })
  }
})
