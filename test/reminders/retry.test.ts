import { describe, expect, test } from 'vitest'
import { previewRetry } from '../../src/reminders/preview-retry.js'
import { retryFailed } from '../../src/reminders/retry.js'
import type { RetryFilter } from '../../src/reminders/retry-filter.js'
import { findRunStatus } from '../../src/reminders/status.js'
import { DAY_MS, HOUR_MS, SEND_PATH, SUBSCRIBE_PATH, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { openPool } from '../helpers/rows.js'
import { openIdOf, user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)('the retry of failed reminders on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'sound books' })
  const preview = (filter: RetryFilter = {}) =>
    previewRetry(world.db, world.account, filter, world.clock.now())
  const retry = (filter: RetryFilter = {}, db = world.db) =>
    retryFailed(db, world.account, filter, world.clock.now(), new AbortController().signal)
  const status = () => findRunStatus(world.db, world.account, TODAY, world.clock.now())
  const refuse = (userId: number, errcode: number, times = 1, path = SEND_PATH) =>
    world.wechat.addFault({ kind: 'errcode', errcode, times, match: { path, open_id: openIdOf(userId) } })
  const remind = () => world.startProcess().remind()

  /** Ten users of whom five are refused: two for good, two for themselves, one with the only permit. */
  async function fiveFail(): Promise<void> {
    await world.has(users(1, 9).permits(3), user(10).permits(1))
    refuse(1, 40003)
    refuse(2, 40003)
    refuse(3, 43101)
    refuse(4, 50005)
    refuse(10, 41028)
    expect(await remind()).toMatchObject({ state: 'done', delivered: 5, failed: 5 })
  }

  test('frees the day of those who can be reminded, and the run reminds them with their next permit', async () => {
    await fiveFail()
    const before = await world.permitsOf(1)
    expect(await preview()).toMatchObject({ date: '2026-11-20', failed: 5, stopped: 1, at_most: 4 })
    expect(await retry()).toMatchObject({ retried: 3, stopped: 1, signed_in: 0, without_permit: 1 })
    expect(await status()).toMatchObject({ state: 'done', delivered: 5, failed: 2, cancelled: 3, in_hand: 0 })
    // The permit that was refused stays spent, with the code; the counter knows no reminder of today.
    expect(before.map((permit) => permit.status)).toEqual([1, 0, 0])
    expect(await world.permitsOf(1)).toMatchObject([
      { status: 1, errcode: 40003 },
      { status: 0 },
      { status: 0 },
    ])
    expect(await world.counterOf(1)).toEqual({ count: 2, last_date: 0 })
    expect(await world.counterOf(3)).toMatchObject({ last_date: TODAY })
    const withdrawn = (await world.messages()).filter(({ state }) => state === 'cancelled')
    expect(withdrawn.map(({ errcode, business_date }) => [errcode, business_date])).toEqual([
      [40003, null],
      [40003, null],
      [50005, null],
    ])
    await world.expectAuditClean()

    expect(await remind()).toMatchObject({ state: 'done', delivered: 3, failed: 0 })
    expect(await world.permitsOf(1)).toMatchObject([
      { status: 1 },
      { status: 1, errcode: null },
      { status: 0 },
    ])
    expect(await world.counterOf(1)).toEqual({ count: 1, last_date: TODAY })
    expect(await status()).toMatchObject({ delivered: 8, failed: 2, cancelled: 3, due: 10 })
  })

  test('changes nothing more when it is repeated', async () => {
    await fiveFail()
    await retry()
    const books = await world.books()
    expect(await retry()).toMatchObject({ retried: 0, stopped: 1, without_permit: 1 })
    expect(await world.books()).toEqual(books)
    await remind()
    expect(await preview()).toMatchObject({ failed: 2, stopped: 1 })
    expect(await retry()).toMatchObject({ retried: 0 })
  })

  test.each<[string, RetryFilter, number]>([
    ['a code', { errcode: 40003 }, 2],
    ['a class', { class: 'user' }, 3],
    ['another class', { class: 'dead_permit' }, 0],
    ['a template', { templateId: 'another' }, 0],
    ['a code and the day', { date: TODAY, errcode: 50005 }, 1],
  ])('withdraws only what the filter means: %s', async (_, filter, retried) => {
    await fiveFail()
    const { at_most } = await preview(filter)
    expect(at_most).toBeGreaterThanOrEqual(retried)
    expect(await retry(filter)).toMatchObject({ retried })
    expect(await status()).toMatchObject({ failed: 5 - retried, cancelled: retried })
  })

  test('leaves those alone who have signed in or opted out since', async () => {
    await fiveFail()
    const { appId } = world.account
    await world.db('wx_sign_in').insert({ app_id: appId, user_id: 1, day: TODAY, streak: 1, created_at: 1 })
    const times = { opted_out_at: 1, created_at: 1, updated_at: 1 }
    await world.db('wx_user').insert({ app_id: appId, open_id: openIdOf(2), user_id: 2, ...times })
    expect(await retry()).toMatchObject({ retried: 1, stopped: 2, signed_in: 1, without_permit: 1 })
  })

  test('is refused for another day, after the window, and without a run', async () => {
    await expect(retry()).rejects.toMatchObject({ code: 'not_found' })
    await expect(preview({ date: TODAY - 1 })).rejects.toMatchObject({ code: 'invalid_request' })
    world.clock.advance(12 * HOUR_MS)
    await expect(retry()).rejects.toMatchObject({ code: 'conflict' })
    world.clock.advance(DAY_MS)
    await expect(preview()).rejects.toMatchObject({ code: 'conflict' })
  })

  test('takes the next subscription of those whose message of the channel subscribe failed', async () => {
    const account = { channel: 'subscribe' as const }
    const asSubscribe = { ...world.account, ...account }
    await world.has(users(1, 4).subscriptions(2))
    refuse(1, 40003, 1, SUBSCRIBE_PATH)
    refuse(2, 43101, 1, SUBSCRIBE_PATH)
    const process = world.startProcess()
    expect(await process.remind({ account })).toMatchObject({ delivered: 2, failed: 2 })
    const { signal } = new AbortController()
    const done = await retryFailed(world.db, asSubscribe, {}, world.clock.now(), signal)
    expect(done).toMatchObject({ retried: 1, stopped: 1 })
    expect(await process.remind({ account })).toMatchObject({ delivered: 1 })
    expect((await world.permitsOf(1)).map(({ status: spent }) => spent)).toEqual([1, 1])
  })

  test('by two at once, beside a run in two processes, reminds each once and loses nobody', async () => {
    await world.has(users(1, 400).permits(4))
    world.wechat.addFault({ kind: 'errcode', errcode: 40003, rate: 0.3, match: { path: SEND_PATH } })
    await remind()
    const first = await status()
    expect(first.failed).toBeGreaterThan(20)
    world.wechat.clearFaults()
    await world.has(users(401, 600).permits(2))
    const other = openPool(world.database)
    try {
      const work = [retry(), retry({}, dialect === 'mysql' ? other : world.db), remind(), remind()] as const
      const [one, two] = await Promise.all(work)
      expect(one.retried + two.retried).toBe(first.failed)
    } finally {
      await other.destroy()
    }
    // Whoever was withdrawn after the run had passed is reminded when it is started again.
    await remind()
    expect(await status()).toMatchObject({
      state: 'done',
      delivered: 600,
      failed: 0,
      cancelled: first.failed,
      in_hand: 0,
      retrying: 0,
    })
    expect(new Set(world.reminded()).size).toBe(600)
    expect(world.reminded()).toHaveLength(600)
  })
})
