import { describe, expect, test } from 'vitest'
import { execute, selectRows } from '../../src/db/sql.js'
import { inTransaction } from '../../src/db/transaction.js'
import { addDays } from '../../src/lib/business-date.js'
import { closeGap, type RestoredOptions } from '../../src/operations/restored.js'
import { acceptTap } from '../../src/permits/subscriptions.js'
import { findDueRun } from '../../src/reminders/due.js'
import { claimAll } from '../helpers/claims.js'
import { DAY_MS, HOUR_MS, NOW, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { openIdOf, user, users } from '../helpers/users.js'
import { letWait } from '../helpers/waits.js'
import { useWorld } from '../helpers/world.js'

/** The dump of nine o'clock is put back at two in the afternoon; the run was at ten. */
const DUMP = NOW - HOUR_MS
const AT_TWO = NOW + 4 * HOUR_MS

describe.each(dialects)('after a dump was put back on %s', (dialect) => {
  const world = useWorld(dialect)

  const close = (
    options: Partial<RestoredOptions> = {},
    now = AT_TWO,
    channel: 'form_id' | 'subscribe' = 'form_id',
  ) =>
    closeGap(
      world.db,
      { ...world.account, channel },
      { since: DUMP, dryRun: false, signal: new AbortController().signal, ...options },
      now,
    )

  async function messagesByState(): Promise<Record<string, number>> {
    const rows = await selectRows<{ state: string; n: number }>(
      world.db,
      'SELECT state, COUNT(*) AS n FROM wx_push_message GROUP BY state',
    )
    return Object.fromEntries(rows.map(({ state, n }) => [state, n]))
  }

  async function subscribe(userId: number): Promise<void> {
    const { db, account } = world
    const { appId, templateId } = account
    const tap = {
      appId,
      openId: openIdOf(userId),
      userId,
      templateId,
      tappedAt: DUMP - HOUR_MS,
      reportId: 'tap',
    }
    await inTransaction(db, (trx) => acceptTap(trx, { ...tap, reporter: 'client' }, DUMP - HOUR_MS))
  }

  test('nobody is due on that day any more, and the day after goes on as usual', async () => {
    await world.has(users(1, 600).permits(2), users(601, 603).permits(1).signedInToday())
    world.clock.set(AT_TWO)
    expect(await findDueRun(world.db, world.account, AT_TWO)).toBeDefined()
    expect(await close()).toEqual({ days: [{ date: TODAY, users: 600 }], open: 0 })
    expect(await findDueRun(world.db, world.account, AT_TWO)).toBeUndefined()
    expect(await messagesByState()).toEqual({ unknown: 600 })
    expect(await world.counterOf(1)).toEqual({ count: 1, last_date: TODAY })
    expect(await world.counterOf(601)).toEqual({ count: 1, last_date: TODAY })
    expect(await world.runs()).toMatchObject([
      { slot: TODAY, state: 'done', reason: expect.stringMatching(/^restored/) },
    ])

    expect(await world.startProcess().remind()).toMatchObject({ delivered: 0 })
    expect(world.sends()).toBe(0)
    world.clock.set(NOW + DAY_MS)
    const next = await world.startProcess().remind({ date: addDays(TODAY, 1) })
    expect(next).toMatchObject({ state: 'done', delivered: 600, failed: 0 })
  })

  test('a gap is closed on subscribe too, with the permit that the run would have spent', async () => {
    for (const userId of [1, 2, 3]) await subscribe(userId)
    expect(await close({}, AT_TWO, 'subscribe')).toEqual({ days: [{ date: TODAY, users: 3 }], open: 0 })
    expect(await world.permitsOf(1)).toMatchObject([{ status: 1 }])
    expect(await world.counterOf(1)).toEqual({ count: 0, last_date: TODAY })
    expect(await world.startProcess().remind({ account: { channel: 'subscribe' } })).toMatchObject({
      delivered: 0,
    })
    expect(world.wechat.ledger()).toEqual([])
  })

  test('doing it again changes nothing more, and a call that was cut short is finished by the next', async () => {
    await world.has(users(1, 700).permits(2))
    const stop = new AbortController()
    const cut = await close({ signal: stop.signal, onProgress: () => stop.abort() })
    expect(cut.days).toEqual([{ date: TODAY, users: 500 }])
    expect(await findDueRun(world.db, world.account, AT_TWO)).toBeUndefined()
    expect((await close()).days).toEqual([{ date: TODAY, users: 200 }])
    const before = await world.books()
    expect(await close()).toEqual({ days: [{ date: TODAY, users: 0 }], open: 0 })
    expect(await world.books()).toEqual(before)
  })

  test('a dry run counts and changes nothing', async () => {
    await world.has(users(1, 5).permits(2))
    const before = await world.books()
    expect(await close({ dryRun: true })).toEqual({ days: [{ date: TODAY, users: 5 }], open: 0 })
    expect(await world.books()).toEqual(before)
    expect(await world.runs()).toEqual([])
    expect(await selectRows(world.db, 'SELECT id FROM wx_card')).toEqual([])
  })

  test('after a dump of several days ago was put back each day costs a user one permit', async () => {
    await world.has(users(1, 3).permits(5), user(4).permitFor(30 * 60_000))
    world.clock.advance(2 * DAY_MS)
    const report = await close({}, AT_TWO + 2 * DAY_MS)
    const days = [0, 1, 2].map((n) => addDays(TODAY, n))
    expect(report.days).toEqual([
      // Valid when the run began, and run out since.
      { date: days[0], users: 4 },
      { date: days[1], users: 3 },
      { date: days[2], users: 3 },
    ])
    expect(await world.counterOf(1)).toEqual({ count: 2, last_date: days[2] })
  })

  test('what was open in the dump is in doubt, whatever its state', async () => {
    await world.has(users(1, 4).permits(2))
    await claimAll(world)
    const set = (columns: string, ids: string) =>
      execute(world.db, `UPDATE wx_push_message SET ${columns} WHERE user_id IN (${ids})`)
    await expect(close({ since: NOW })).rejects.toMatchObject({ code: 'conflict' })
    await world.lapseLeases()
    await set("state = 'queued'", '3')
    await letWait(world.db, 'user_id = 4', AT_TWO + HOUR_MS)
    expect(await close({ since: NOW, dryRun: true })).toMatchObject({ open: 4 })
    expect(await close({ since: NOW })).toEqual({ days: [{ date: TODAY, users: 0 }], open: 4 })
    expect(await messagesByState()).toEqual({ unknown: 4 })
    const totals = 'SELECT due, unknown, retrying FROM wx_job_run'
    expect(await selectRows(world.db, totals)).toEqual([{ due: 4, unknown: 4, retrying: 0 }])
    expect(await world.startProcess().recover()).toMatchObject({ delivered: 0 })
  })

  test('a day whose run had ended before the dump, or begins after now, is left alone', async () => {
    await world.has(users(1, 3).permits(3))
    expect(await close({}, NOW - HOUR_MS / 2)).toEqual({ days: [], open: 0 })
    world.clock.set(NOW)
    await world.startProcess().remind()
    await world.has(user(4).permits(1))
    expect(await close({ since: NOW + HOUR_MS })).toEqual({ days: [], open: 0 })
    expect(await world.runs()).toMatchObject([{ state: 'done', reason: null }])
    expect(await world.counterOf(4)).toEqual({ count: 1, last_date: 0 })
    await expect(close({ since: AT_TWO + 1 })).rejects.toMatchObject({ code: 'invalid_request' })
  })
})
