import { describe, expect, test } from 'vitest'
import { NEVER_EXPIRES } from '../../src/books/index.js'
import { isDuplicate } from '../../src/db/errors.js'
import { inTransaction } from '../../src/db/transaction.js'
import { chunks } from '../../src/lib/chunks.js'
import {
  acceptTap,
  endSubscriptions,
  type GrantOutcome,
  MAX_UNSPENT_SUBSCRIPTIONS,
  type SubscriptionReport,
} from '../../src/permits/subscriptions.js'
import { APP_ID, DAY_MS, MINUTE_MS, NOW } from '../helpers/constants.js'
import { dialects, emptyTables, useDatabase } from '../helpers/database.js'
import { counts, openPool, recordQueries } from '../helpers/rows.js'
import { wrongCounters } from '../migrations/old-tables.js'

const TAP: SubscriptionReport = {
  appId: APP_ID,
  openId: 'o1',
  userId: 1,
  templateId: 'daily',
  tappedAt: NOW,
  reportId: 'tap 1',
  reporter: 'client',
}
const tap = (n: number, values: Partial<SubscriptionReport> = {}): SubscriptionReport => ({
  ...TAP,
  reportId: `tap ${n}`,
  ...values,
})
const event = (n: number, values: Partial<SubscriptionReport> = {}): SubscriptionReport => ({
  ...TAP,
  reporter: 'event',
  reportId: `event ${n}`,
  ...values,
})

describe.each(dialects)('accepted subscriptions on %s', (dialect) => {
  const database = useDatabase(dialect)
  const { db } = database

  const grant = (report: SubscriptionReport, on = db, now = NOW): Promise<GrantOutcome> =>
    inTransaction(on, (trx) => acceptTap(trx, report, now), isDuplicate)
  const refuse = (refusedAt: number, templateId = 'daily'): Promise<number> =>
    inTransaction(db, (trx) => endSubscriptions(trx, { ...TAP, templateId, refusedAt }, NOW))
  const permits = () => db('wx_save_form_id').orderBy('id')
  const optOut = (at: number, errcode: number | null) =>
    db('wx_user').where({ open_id: 'o1' }).update({ opted_out_at: at, stop_errcode: errcode })

  async function addTaps(count: number): Promise<void> {
    const taps = Array.from({ length: count }, (_, n) => ({
      app_id: APP_ID,
      open_id: 'o1',
      user_id: 1,
      form_id: `tap-${n}`,
      source: 'subscribe',
      template_id: 'daily',
      tapped_at: NOW - DAY_MS,
      expire: NEVER_EXPIRES,
    }))
    for (const chunk of chunks(taps, 100)) await db('wx_save_form_id').insert(chunk)
    await db('wx_message_push_status').insert({ app_id: APP_ID, user_id: 1, count })
  }

  test('accepted subscriptions are no more of a template than a user can use', async () => {
    await addTaps(MAX_UNSPENT_SUBSCRIPTIONS - 1)
    expect(await grant(tap(1))).toBe('accepted')
    expect(await grant(tap(2, { tappedAt: NOW + DAY_MS }))).toBe('too_many')
    expect(await grant(tap(1))).toBe('duplicate')
    expect(await grant(tap(3, { templateId: 'other' }))).toBe('accepted')
    expect(await counts(db)).toEqual({ 1: MAX_UNSPENT_SUBSCRIPTIONS + 1 })
    await db('wx_save_form_id').where({ form_id: 'tap-0' }).update({ status: 1 })
    await db('wx_message_push_status').update({ count: MAX_UNSPENT_SUBSCRIPTIONS })
    expect(await grant(tap(2, { tappedAt: NOW + DAY_MS }))).toBe('accepted')
    expect(await wrongCounters(db)).toEqual([])
  })

  test('accepted subscriptions are voided by statements of bounded length, however many there are', async () => {
    await addTaps(1_200)
    const queries = recordQueries(db)
    expect(await refuse(NOW)).toBe(1_200)
    expect(Math.max(...queries.map(({ bindings }) => bindings.length))).toBeLessThan(1_010)
    expect(await counts(db)).toEqual({ 1: 0 })
    expect(await wrongCounters(db)).toEqual([])
  })

  test('accepted subscriptions are permits without end, for their template', async () => {
    expect(await grant(tap(1))).toBe('accepted')
    expect(await permits()).toMatchObject([
      {
        app_id: APP_ID,
        open_id: 'o1',
        user_id: 1,
        source: 'subscribe',
        template_id: 'daily',
        status: 0,
        expire: NEVER_EXPIRES,
        tapped_at: NOW,
        confirmed_at: null,
      },
    ])
    expect(await counts(db)).toEqual({ 1: 1 })
  })

  test('accepted subscriptions count once, however often one report comes', async () => {
    expect([await grant(tap(1)), await grant(tap(1))]).toEqual(['accepted', 'duplicate'])
    expect([
      await grant(event(2, { tappedAt: NOW + DAY_MS })),
      await grant(event(2, { tappedAt: NOW + DAY_MS })),
    ]).toEqual(['accepted', 'duplicate'])
    expect(await counts(db)).toEqual({ 1: 2 })
  })

  test('accepted subscriptions count for each template and each user, though a client names all its taps alike', async () => {
    await grant(tap(1))
    await grant(tap(1, { templateId: 'weekly' }))
    await grant(tap(1, { openId: 'o2', userId: 2 }))
    expect(await counts(db)).toEqual({ 1: 2, 2: 1 })
  })

  test.each([
    ['the client first', [tap(1), event(1)]],
    ['the event first', [event(1), tap(1)]],
    ['the clocks minutes apart', [event(1, { tappedAt: NOW + 9 * MINUTE_MS }), tap(1)]],
    ['the client again after the event', [tap(1), event(1), tap(1)]],
    ['the event first and the client twice', [event(1), tap(1), tap(1)]],
  ])('are one permit for a tap that both report: %s', async (_, reports) => {
    const [first, ...others] = reports
    if (!first) throw new Error('no report')
    expect(await grant(first)).toBe('accepted')
    for (const report of others) expect(await grant(report)).toBe('duplicate')
    expect(await counts(db)).toEqual({ 1: 1 })
    expect(await permits()).toMatchObject([{ form_id: expect.stringMatching(/^tap-/), confirmed_at: NOW }])
  })

  test('accepted subscriptions are as many permits as taps, in whatever order the reports of two taps come', async () => {
    const second = { tappedAt: NOW + MINUTE_MS }
    const reports = [tap(1), event(1), tap(2, second), event(2, second)]
    for (const order of permutations(reports)) {
      await emptyTables(db)
      for (const report of order) await grant(report)
      expect(await counts(db), order.map(({ reportId }) => reportId).join(', ')).toEqual({ 1: 2 })
    }
  })

  test('accepted subscriptions of days apart are two taps, even if each was told by one side only', async () => {
    await grant(tap(1))
    await grant(event(2, { tappedAt: NOW + DAY_MS }))
    expect(await counts(db)).toEqual({ 1: 2 })
  })

  test('accepted subscriptions are one permit also when the reports come at the same moment', async () => {
    const pools = [openPool(database), openPool(database)]
    try {
      for (let n = 0; n < 20; n++) {
        const at = { tappedAt: NOW + n * DAY_MS }
        const outcomes = await Promise.all([
          grant(tap(n, at), pools[0]),
          grant(event(n, at), pools[1]),
          grant(tap(n, at), pools[1]),
        ])
        expect(outcomes.sort(), `tap ${n}`).toEqual(['accepted', 'duplicate', 'duplicate'])
      }
      expect(await counts(db)).toEqual({ 1: 20 })
    } finally {
      for (const pool of pools) await pool.destroy()
    }
  })

  test('accepted subscriptions are paired also when the permit was spent in between', async () => {
    await grant(tap(1))
    await db('wx_save_form_id').update({ status: 1 })
    await db('wx_message_push_status').update({ count: 0 })
    expect(await grant(event(1))).toBe('duplicate')
    expect(await counts(db)).toEqual({ 1: 0 })
  })

  test('end when the user turns the template off, the spent ones and other templates apart', async () => {
    await grant(tap(1))
    await grant(tap(2))
    await grant(tap(3, { templateId: 'weekly' }))
    await db('wx_save_form_id')
      .where({ id: (await permits())[0]?.id })
      .update({ status: 1 })
    await db('wx_message_push_status').update({ count: 2 })
    expect(await refuse(NOW + 1)).toBe(1)
    expect(await permits()).toMatchObject([
      { status: 1, errcode: null },
      { status: 2, errcode: 43101 },
      { template_id: 'weekly', status: 0 },
    ])
    expect(await counts(db)).toEqual({ 1: 1 })
    expect(await refuse(NOW + 1)).toBe(0)
    expect(await wrongCounters(db)).toEqual([])
  })

  test('accepted subscriptions of a later tap outlive a refusal that is told late', async () => {
    await grant(tap(1, { tappedAt: NOW }))
    await grant(tap(2, { tappedAt: NOW + 30 * MINUTE_MS }))
    expect(await refuse(NOW + MINUTE_MS)).toBe(1)
    expect(await counts(db)).toEqual({ 1: 1 })
  })

  test('accepted subscriptions after a refusal end the refusal, and what WeChat had already voided', async () => {
    await grant(tap(1))
    await optOut(NOW + MINUTE_MS, 43101)
    expect(await grant(tap(2, { tappedAt: NOW + DAY_MS }))).toBe('accepted')
    expect(await permits()).toMatchObject([
      { status: 2, errcode: 43101 },
      { status: 0, errcode: null },
    ])
    expect(await counts(db)).toEqual({ 1: 1 })
    expect(await db('wx_user').first()).toMatchObject({ opted_out_at: null, stop_errcode: null })
  })

  test('a tap on another template neither ends a refusal nor is outdated by it', async () => {
    await grant(tap(1))
    await optOut(NOW + MINUTE_MS, 43101)
    await db('wx_user').update({ stop_template_id: 'daily' })
    expect(await grant(tap(2, { templateId: 'weekly', tappedAt: NOW }))).toBe('accepted')
    expect(await grant(tap(3, { templateId: 'weekly', tappedAt: NOW + DAY_MS }))).toBe('accepted')
    expect(await db('wx_user').first()).toMatchObject({ stop_errcode: 43101, stop_template_id: 'daily' })
    expect(await grant(tap(4, { tappedAt: NOW }))).toBe('outdated')
    expect(await grant(tap(5, { tappedAt: NOW + DAY_MS }))).toBe('accepted')
    expect(await db('wx_user').first()).toMatchObject({ opted_out_at: null, stop_template_id: null })
    expect(await wrongCounters(db)).toEqual([])
  })

  test('accepted subscriptions from before a refusal count no more, and do not end it', async () => {
    await grant(tap(1))
    await optOut(NOW + DAY_MS, 43101)
    expect(await grant(tap(2, { tappedAt: NOW + DAY_MS }))).toBe('outdated')
    expect(await counts(db)).toEqual({ 1: 1 })
    expect(await db('wx_user').first()).toMatchObject({ opted_out_at: NOW + DAY_MS })
  })

  test('accepted subscriptions leave an opt-out alone that somebody wrote by hand', async () => {
    await grant(tap(1))
    await optOut(NOW + MINUTE_MS, null)
    expect(await grant(tap(2, { tappedAt: NOW + DAY_MS }))).toBe('accepted')
    expect(await db('wx_user').first()).toMatchObject({ opted_out_at: NOW + MINUTE_MS })
    expect(await counts(db)).toEqual({ 1: 2 })
  })
})

function permutations<T>(items: T[]): T[][] {
  if (items.length < 2) return [items]
  return items.flatMap((item, i) =>
    permutations([...items.slice(0, i), ...items.slice(i + 1)]).map((rest) => [item, ...rest]),
  )
}
