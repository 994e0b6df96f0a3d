import { describe, expect, test } from 'vitest'
import { execute } from '../../src/db/sql.js'
import { addDays, toIsoDate } from '../../src/lib/business-date.js'
import { setDay } from '../../src/summaries/day-store.js'
import { findFlow } from '../../src/summaries/flow.js'
import { findForecast, forecastNow } from '../../src/summaries/forecast.js'
import { findHistory } from '../../src/summaries/history.js'
import { LeaseLost, withLease } from '../../src/summaries/lease.js'
import { findStock } from '../../src/summaries/stock.js'
import { summarize } from '../../src/summaries/summarize.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, NOW, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { fillTable } from '../helpers/fill.js'
import { silentLog } from '../helpers/rows.js'
import { user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

const NOTHING = {
  spent: 0,
  failed: 0,
  expired: 0,
  sign_ins: 0,
  reminded: 0,
  reminded_signed_in: 0,
  others: 0,
  others_signed_in: 0,
}

/** More than are counted while a caller waits. */
const MANY = 2_500

describe.each(dialects)('the kept summaries on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'anything' })
  const { account } = world

  const keep = (onPage?: () => void, stop = new AbortController()) =>
    summarize(
      { db: world.db, log: silentLog, now: world.clock.now, signal: stop.signal },
      account,
      onPage ? { onPage } : {},
    )
  const forecast = (days = 7) => findForecast(world.db, account, { days }, world.clock.now())

  async function many(): Promise<void> {
    const appId = `'${account.appId}'`
    const at = { created_at: NOW - HOUR_MS, updated_at: NOW - HOUR_MS }
    await fillTable(
      world.db,
      'wx_save_form_id',
      {
        app_id: appId,
        open_id: `i % ${MANY}`,
        user_id: `i % ${MANY}`,
        form_id: 'i',
        expire: `${NOW} + (i * 80637) % ${7 * DAY_MS}`,
        ...at,
      },
      3 * MANY,
    )
    await fillTable(
      world.db,
      'wx_message_push_status',
      { app_id: appId, user_id: 'i', count: 3, ...at },
      MANY,
    )
  }

  test('of a large account are what was counted, with the time of counting, and nothing before the first count', async () => {
    await many()
    expect(await forecast()).toEqual({ from: '2026-11-20', as_of: null, days: [] })
    expect(await findStock(world.db, account, NOW)).toEqual({ as_of: null, permits: [] })
    await keep()
    const exact = await forecastNow(world.db, account, { days: 7, now: NOW })
    expect(exact.days[0]?.reachable).toBeGreaterThan(2_000)
    world.clock.advance(MINUTE_MS)
    expect(await forecast()).toEqual(exact)
    expect((await forecast(30)).days).toHaveLength(30)
    const stock = await findStock(world.db, account, world.clock.now())
    expect(stock.as_of).toBe(new Date(NOW).toISOString())
    expect(stock.permits).toHaveLength(7)
    const [row] = await world.db('wx_save_form_id').where('expire', '>', NOW).count({ permits: '*' })
    expect(stock.permits.reduce((sum, { permits }) => sum + permits, 0)).toBe(Number(row?.permits))
  })

  test('of yesterday still tell the days that are to come, up to the last one asked for', async () => {
    await many()
    await keep()
    world.clock.advance(DAY_MS)
    const { from, as_of, days } = await forecast(30)
    expect({ from, as_of }).toEqual({ from: '2026-11-21', as_of: new Date(NOW).toISOString() })
    expect(days).toHaveLength(30)
  })

  test('of a day are written anew, and those of earlier days stay', async () => {
    await many()
    await keep()
    const reachable = async () => (await forecast(1)).days[0]?.reachable ?? 0
    const before = await reachable()
    await world.db('wx_message_push_status').where('user_id', '<', 100).update({ count: 0 })
    world.clock.advance(MINUTE_MS)
    await keep()
    expect(before - (await reachable())).toBeGreaterThan(90)
    expect(await world.db('wx_forecast_day').where({ day: TODAY })).toHaveLength(1)
    world.clock.advance(DAY_MS)
    await keep()
    expect(
      await world
        .db('wx_forecast_day')
        .where({ day: addDays(TODAY, 1) })
        .pluck('made_on'),
    ).toEqual([TODAY, addDays(TODAY, 1)])
  })

  test('count permits by what is left of their days, for each source and template', async () => {
    await world.has(
      user(1).permits(2),
      user(2).permitFor(30_000),
      user(3).subscriptions(2),
      user(4).optedOut().permits(1),
    )
    await execute(world.db, "UPDATE wx_save_form_id SET source = 'pay' WHERE user_id = 4", [])
    await execute(world.db, 'UPDATE wx_save_form_id SET expire = ? WHERE user_id = 2', [NOW + 400 * DAY_MS])
    const { permits } = await findStock(world.db, account, NOW)
    const { templateId: template_id } = account
    expect(permits).toEqual([
      { source: 'form', template_id: null, days_left: 1, permits: 1, users: 1 },
      { source: 'form', template_id: null, days_left: 2, permits: 1, users: 1 },
      { source: 'form', template_id: null, days_left: 30, permits: 1, users: 1 },
      { source: 'pay', template_id: null, days_left: 1, permits: 1, users: 1 },
      { source: 'subscribe', template_id, days_left: null, permits: 2, users: 1 },
    ])
  })

  test('tell of a day who was reminded and who signed in then, and of the others', async () => {
    await world.has(
      users(1, 6).permits(2),
      users(7, 8).permits(1).signedInToday(),
      users(9, 13),
      user(14).permits(1).optedOut(),
    )
    const process = world.startProcess()
    expect(await process.remind()).toMatchObject({ delivered: 6 })
    const signIn = (userId: number, at: number) =>
      world
        .db('wx_sign_in')
        .insert({ app_id: account.appId, user_id: userId, day: TODAY, streak: 1, created_at: at })
    for (const id of [1, 2, 9]) await signIn(id, NOW + HOUR_MS)
    // Not a user of whom there was ever a permit.
    await signIn(99, NOW + HOUR_MS)
    world.clock.advance(2 * HOUR_MS)
    await keep()
    const { as_of, days, note } = await findHistory(world.db, account, { days: 30 }, world.clock.now())
    expect(as_of).toBe(new Date(NOW + 2 * HOUR_MS).toISOString())
    expect(days).toHaveLength(30)
    expect(days.at(-1)).toEqual({
      date: toIsoDate(TODAY),
      state: 'done',
      delivered: 6,
      failed: 0,
      unknown: 0,
      cancelled: 0,
      failed_by_class: {},
      reminded: 6,
      reminded_signed_in: 2,
      others: 6,
      others_signed_in: 1,
    })
    expect(note.en).toContain('not an experiment')
    const flow = await findFlow(world.db, account, { days: 2 }, world.clock.now())
    expect(flow.days.at(-1)).toMatchObject({ date: toIsoDate(TODAY), spent: 6, failed: 0, sign_ins: 6 })
  })

  test('name what failed by its class', async () => {
    await world.has(users(1, 40).permits(1))
    world.wechat.addFault({ kind: 'errcode', errcode: 43101, after: 5, times: 2 })
    const report = await world.startProcess().remind()
    await keep()
    const { days } = await findHistory(world.db, account, { days: 1 }, NOW)
    expect(days[0]).toMatchObject({ delivered: report.delivered, failed: 2, failed_by_class: { user: 2 } })
  })

  test('of a day are final an hour after its end, and are made up for if nobody was there', async () => {
    await world.has(users(1, 3).permits(2))
    await world.startProcess().remind()
    expect((await keep())?.days).toContain(TODAY)
    expect((await keep())?.days).toEqual([TODAY])
    const signInLate = (userId: number) =>
      world.db('wx_sign_in').insert({
        app_id: account.appId,
        user_id: userId,
        day: TODAY,
        streak: 1,
        created_at: world.clock.now(),
      })
    const signedIn = async () =>
      (await world.db('wx_day_summary').where({ day: TODAY }).first('reminded_signed_in'))?.reminded_signed_in
    // 00:30 of the next day.
    world.clock.set(NOW + 14.5 * HOUR_MS)
    await signInLate(1)
    expect((await keep())?.days).toEqual([TODAY, addDays(TODAY, 1)])
    world.clock.set(NOW + 3 * DAY_MS)
    await signInLate(2)
    expect((await keep())?.days).toEqual([0, 1, 2, 3].map((days) => addDays(TODAY, days)))
    expect(await signedIn()).toBe(2)
    await signInLate(3)
    expect((await keep())?.days).toEqual([addDays(TODAY, 3)])
    expect(await signedIn()).toBe(2)
  })

  test('are kept by one process at a time, and taken over from one that is gone', async () => {
    await many()
    const beside: Promise<unknown>[] = []
    expect((await keep(() => beside.push(keep())))?.days).toContain(TODAY)
    expect(await beside[0]).toBeUndefined()
    await execute(world.db, "UPDATE wx_summary_progress SET owner = 'dead', lease_until = 1", [])
    expect((await keep())?.days).toEqual([TODAY])
  })

  test('are not written by a process that was frozen past its lease', async () => {
    const { appId } = account
    const writes = withLease(world.db, appId, async (lease) => {
      await lease.renew()
      await execute(world.db, "UPDATE wx_summary_progress SET owner = 'another'", [])
      await lease.write((trx) => setDay(trx, { appId, day: TODAY, asOf: NOW }, NOTHING))
    })
    await expect(writes).rejects.toThrow(LeaseLost)
    expect(await world.db('wx_day_summary')).toEqual([])
    expect(await world.db('wx_summary_progress').pluck('owner')).toEqual(['another'])
  })

  test('stay as they were if the work is stopped', async () => {
    await many()
    await keep()
    const before = await world.db('wx_forecast_day')
    world.clock.advance(MINUTE_MS)
    const stop = new AbortController()
    expect((await keep(() => stop.abort(), stop))?.days).toEqual([])
    expect(await world.db('wx_forecast_day')).toEqual(before)
    expect((await keep())?.days).toEqual([TODAY])
  })
})
