import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { DAY_MS } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { countRows } from '../helpers/rows.js'
import { useService } from '../helpers/service.js'

const PATH = '/v1/sign-ins'

describe.each(dialects)('POST /v1/sign-ins on %s', (dialect) => {
  let now = Date.UTC(2026, 10, 20)
  beforeEach(() => {
    // 15:30 in London and 23:30 in Shanghai: one zone's today and the other's are the same day for half an hour more.
    now = Date.UTC(2026, 10, 20, 15, 30)
  })
  const service = useService(dialect, { now: () => now, env: { TIMEZONE: 'Asia/Shanghai' } })

  const rows = () =>
    selectRows<{ day: number; streak: number }>(service.db, 'SELECT day, streak FROM wx_sign_in ORDER BY day')
  const signIn = (date?: string) => service.post(PATH, { user_id: 7, ...(date ? { date } : {}) })

  test('records today in the zone of the account', async () => {
    const answer = await signIn()
    expect(answer.status).toBe(201)
    expect(answer.body).toEqual({ date: '2026-11-20', streak: 1 })
    now += 30 * 60 * 1000
    expect((await signIn()).body).toEqual({ date: '2026-11-21', streak: 2 })
  })

  test('changes nothing when it comes again, and answers the same', async () => {
    const first = await signIn()
    expect((await signIn()).body).toEqual(first.body)
    expect((await signIn('2026-11-20')).body).toEqual(first.body)
    expect(await rows()).toEqual([{ day: 20261120, streak: 1 }])
  })

  test('takes an open_id in place of a user_id once it is bound, and never somebody else’s', async () => {
    expect(await service.post(PATH, { open_id: 'oA' })).toMatchObject({
      status: 409,
      body: { error: { code: 'user_not_bound' } },
    })
    expect(await service.post(PATH, { open_id: 'oA', user_id: 7 })).toMatchObject({ status: 201 })
    expect(await service.post(PATH, { open_id: 'oA' })).toMatchObject({ status: 201 })
    expect(await service.post(PATH, { open_id: 'oA', user_id: 8 })).toMatchObject({
      status: 409,
      body: { error: { code: 'conflict' } },
    })
    expect(await service.db('wx_sign_in').select('user_id')).toEqual([{ user_id: 7 }])
  })

  test('counts a day once that many callers record at the same moment', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => signIn()))
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201))
    expect(await rows()).toEqual([{ day: 20261120, streak: 1 }])
  })

  test('joins the days around one that is recorded late', async () => {
    await signIn('2026-11-18')
    await signIn('2026-11-20')
    expect((await signIn('2026-11-19')).body).toEqual({ date: '2026-11-19', streak: 2 })
    expect(await rows()).toEqual([
      { day: 20261118, streak: 1 },
      { day: 20261119, streak: 2 },
      { day: 20261120, streak: 3 },
    ])
  })

  describe('of a day that is older than sign-ins are kept', () => {
    const day = (ago: number) => new Date(now - ago * DAY_MS).toISOString().slice(0, 10)

    test('changes nothing: not the streak that it is in, and not one that it would begin', async () => {
      const end = now
      for (now = end - 120 * DAY_MS; now <= end; now += DAY_MS) await signIn()
      now = end
      await service
        .db('wx_sign_in')
        .where('day', '<', Number(day(90).replaceAll('-', '')))
        .delete()
      const before = await rows()
      expect(before).toHaveLength(91)
      for (const ago of [91, 95, 120]) {
        expect(await signIn(day(ago))).toMatchObject({
          status: 201,
          body: { date: day(ago), streak: 121 - ago },
        })
      }
      expect(await signIn(day(121))).toMatchObject({ status: 201, body: { date: day(121), streak: 1 } })
      expect(await rows()).toEqual(before)
      expect((await signIn()).body).toEqual({ date: day(0), streak: 121 })
      // The oldest that is kept.
      expect((await signIn(day(90))).body).toEqual({ date: day(90), streak: 31 })
    })

    test('answers what its row says, until it is deleted', async () => {
      now -= 92 * DAY_MS
      await signIn()
      now += DAY_MS
      await signIn()
      now += 91 * DAY_MS
      expect((await signIn(day(91))).body).toMatchObject({ streak: 2 })
      expect(await rows()).toHaveLength(2)
    })
  })

  test('counts across the end of a month, a leap day and a year', async () => {
    now = Date.UTC(2024, 2, 5)
    for (const date of ['2024-02-28', '2024-02-29', '2023-12-31', '2024-01-01']) await signIn(date)
    expect((await signIn('2024-03-01')).body).toEqual({ date: '2024-03-01', streak: 3 })
    expect((await signIn('2024-01-02')).body).toEqual({ date: '2024-01-02', streak: 3 })
  })

  test.each(['0000-01-01', '0001-01-01', '1969-12-31'])('takes a day as far back as %s', async (date) => {
    expect((await signIn(date)).status).toBe(201)
  })
})

describe('POST /v1/sign-ins, before the database is asked,', () => {
  const service = useService('sqlite', { now: () => Date.UTC(2026, 10, 20, 15, 30), keepRows: true })
  afterAll(async () => expect((await countRows(service.db)).wx_sign_in).toBe(0))

  const wrong: [field: string, value: unknown][] = [
    ['user_id', undefined],
    ['user_id', null],
    ['user_id', '07'],
    ['user_id', -1],
    ['user_id', 0.5],
    ['user_id', 2 ** 64],
    ['date', null],
    ['date', 20261120],
    ['date', ''],
    ['date', 'today'],
    ['date', '2026-11-21'],
    ['date', '2026-02-30'],
    ['date', '2025-02-29'],
    ['date', '2026-13-01'],
    ['date', '2026-11-20T00:00:00Z'],
    ['date', '2026-11-20\n'],
    ['date', '２０２６-11-20'],
    ['streak', 100],
  ]
  test.each(wrong)('names the field that is wrong, %s: %j', async (field, value) => {
    const answer = await service.post(PATH, { user_id: 7, [field]: value })
    expect(answer.status).toBe(422)
    expect(answer.body).toMatchObject({
      error: { code: 'invalid_request', message: expect.stringContaining(`${field}:`), details: { field } },
    })
  })
})
