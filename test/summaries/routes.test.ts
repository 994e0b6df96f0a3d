import { beforeEach, describe, expect, test } from 'vitest'
import type { Forecast } from '../../src/summaries/forecast.js'
import type { GoingDark } from '../../src/summaries/going-dark.js'
import { DAY_MS, HOUR_MS, NOW, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { addPermits } from '../helpers/rows.js'
import { API_KEY, useService } from '../helpers/service.js'

const LARGE_ID = 2n ** 63n - 1n

describe.each(dialects)('GET /v1/forecast on %s', (dialect) => {
  let now = NOW
  beforeEach(() => {
    now = NOW
  })
  const service = useService(dialect, {
    now: () => now,
    env: { TIMEZONE: 'Asia/Shanghai', REMINDER_TEMPLATE_ID: 'daily' },
  })
  const get = (path: string, credential = API_KEY) =>
    service.request('GET', path, { headers: { authorization: `Bearer ${credential}` } })
  const forecast = async (query = ''): Promise<Forecast> =>
    (await get(`/v1/forecast${query}`)).body as Forecast
  const dark = async (query: string): Promise<GoingDark> =>
    (await get(`/v1/forecast/going-dark${query}`)).body as GoingDark

  /** User 1 can be reminded today, user 2 today and tomorrow, and so on. */
  const staircase = (users: number) =>
    addPermits(
      service.db,
      Array.from({ length: users }, (_, u) => u + 1).flatMap((user_id) =>
        Array.from({ length: user_id }, () => ({ user_id, expire: NOW + 6.5 * DAY_MS })),
      ),
    )

  test('foretells seven days, from today on while the window is open, then from tomorrow', async () => {
    await staircase(3)
    expect(await forecast()).toMatchObject({ from: '2026-11-20', as_of: '2026-11-20T02:00:00.000Z' })
    const { days } = await forecast()
    expect(
      days.map(({ reachable, permits_left, going_dark }) => [reachable, permits_left, going_dark]),
    ).toEqual([
      [3, 6, 1],
      [2, 3, 1],
      [1, 1, 1],
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
    ])
    now += 12 * HOUR_MS
    expect(await forecast('?days=1')).toMatchObject({
      from: '2026-11-21',
      days: [{ date: '2026-11-21', reachable: 3, expected: null, expected_low: null, expected_high: null }],
    })
  })

  test('of an account without users is of zeros', async () => {
    const { days } = await forecast('?days=30')
    expect(days).toHaveLength(30)
    expect(new Set(days.map(({ reachable }) => reachable))).toEqual(new Set([0]))
    expect(await dark('?date=2026-11-20')).toEqual({ date: '2026-11-20', users: [], next: null })
  })

  test('names who goes dark on a day, page by page', async () => {
    await addPermits(service.db, [
      ...[1, 2, 3].map((user_id) => ({ user_id })),
      ...[4, 4].map((user_id) => ({ user_id })),
    ])
    await service.db.raw(
      `UPDATE wx_save_form_id SET user_id = ${LARGE_ID}, expire = expire WHERE user_id = 3`,
    )
    await service.db.raw(`UPDATE wx_message_push_status SET user_id = ${LARGE_ID} WHERE user_id = 3`)
    const first = await dark('?date=2026-11-20&limit=2')
    expect(first).toEqual({
      date: '2026-11-20',
      users: [
        { user_id: 1, permits: 1 },
        { user_id: 2, permits: 1 },
      ],
      next: 2,
    })
    expect(await dark(`?date=2026-11-20&limit=2&after=${first.next}`)).toEqual({
      date: '2026-11-20',
      users: [{ user_id: String(LARGE_ID), permits: 1 }],
      next: null,
    })
    expect((await dark('?date=2026-11-21')).users).toEqual([{ user_id: 4, permits: 2 }])
    expect((await dark('?date=2026-11-22')).users).toEqual([])
  })

  test('looks at so many users for one page, and goes on where it stopped', async () => {
    await addPermits(
      service.db,
      Array.from({ length: 1_500 }, (_, i) => ({
        user_id: i + 1,
        expire: i === 1_400 ? NOW + DAY_MS / 2 : NOW,
      })),
    )
    const first = await dark('?date=2026-11-20')
    expect(first).toEqual({ date: '2026-11-20', users: [], next: 1_000 })
    expect(await dark(`?date=2026-11-20&after=${first.next}`)).toMatchObject({
      users: [{ user_id: 1_401 }],
      next: null,
    })
  })

  test('does not name a user who was reminded today for today', async () => {
    await staircase(1)
    await service.db('wx_message_push_status').update({ last_date: TODAY })
    expect((await dark('?date=2026-11-20')).users).toEqual([])
    expect((await dark('?date=2026-11-21')).users).toEqual([{ user_id: 1, permits: 1 }])
  })

  test.each([
    ['/v1/forecast?days=0', 'days'],
    ['/v1/forecast?days=31', 'days'],
    ['/v1/forecast?days=x', 'days'],
    ['/v1/forecast?day=1', 'day'],
    ['/v1/forecast/going-dark', 'date'],
    ['/v1/forecast/going-dark?date=2026-02-30', 'date'],
    ['/v1/forecast/going-dark?date=2026-11-19', 'date'],
    ['/v1/forecast/going-dark?date=2026-12-20', 'date'],
    ['/v1/forecast/going-dark?date=2026-11-20&limit=501', 'limit'],
    ['/v1/forecast/going-dark?date=2026-11-20&after=07', 'after'],
    ['/v1/forecast/going-dark?date=2026-11-20&after=9223372036854775808', 'after'],
  ])('refuses %s and names %s', async (path, field) => {
    expect(await get(path)).toMatchObject({ status: 422, body: { error: { details: { field } } } })
  })

  test('needs an API key', async () => {
    expect((await get('/v1/forecast', 'nobody')).status).toBe(401)
    expect((await get('/v1/forecast/going-dark?date=2026-11-20', 'nobody')).status).toBe(401)
  })
})
