import { describe, expect, test } from 'vitest'
import { execute } from '../../src/db/sql.js'
import { addDays } from '../../src/lib/business-date.js'
import { DAY_MS, HOUR_MS, NOW, SEND_PATH, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { recordQueries } from '../helpers/rows.js'
import { openIdOf, user, users } from '../helpers/users.js'
import { refusedUrl } from '../helpers/wechat.js'
import { useWorld, without } from '../helpers/world.js'

const ON_SEND = { match: { path: SEND_PATH } }

describe.each(dialects)('the daily run on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'sound books' })

  const sorted = (ids: number[]): number[] => [...ids].sort((a, b) => a - b)

  test('reminds everybody who is due, once, and says so', async () => {
    await world.has(
      users(1, 60).permits(2),
      users(61, 64).permits(1).signedInToday(),
      user(65).permits(1).optedOut(),
    )
    expect(await world.startProcess().remind()).toMatchObject({
      date: TODAY,
      state: 'done',
      reason: null,
      due: 60,
      delivered: 60,
      failed: 0,
      unknown: 0,
      retrying: 0,
      cancelled: 0,
      skippedSignedIn: 4,
    })
    expect(sorted(world.reminded())).toEqual(users(1, 60).ids)
    expect(await world.runs()).toMatchObject([{ slot: TODAY, state: 'done', delivered: 60 }])
    for (const userId of [1, 30, 60]) {
      expect((await world.permitsOf(userId)).map(({ status }) => status)).toEqual([1, 0])
      expect(await world.counterOf(userId)).toEqual({ count: 1, last_date: TODAY })
    }
  })

  test('ends at once when nobody is due', async () => {
    expect(await world.startProcess().remind()).toMatchObject({ state: 'done', due: 0, delivered: 0 })
    expect(world.sends()).toBe(0)
  })

  test('started again on the same day reminds only who became due since', async () => {
    await world.has(users(1, 10).permits(3))
    await world.startProcess().remind()
    await execute(world.db, 'UPDATE wx_message_push_status SET last_date = 0 WHERE user_id <= 5')
    await world.has(users(11, 13).permits(1))
    expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 3 })
    expect(sorted(world.reminded())).toEqual(users(1, 13).ids)
    expect(await world.runs()).toHaveLength(1)
  })

  test('stops at its limit, and goes on from there when it is started again', async () => {
    await world.has(users(1, 30).permits(1))
    const few = { state: 'limited', delivered: 7, due: 30, reason: expect.stringContaining('--limit') }
    expect(await world.startProcess().remind({ limit: 7 })).toMatchObject(few)
    expect(world.reminded()).toHaveLength(7)
    expect(await world.runs()).toMatchObject([{ state: 'limited', delivered: 7 }])
    expect(await world.startProcess().remind({ limit: 0 })).toMatchObject({ state: 'limited', delivered: 0 })
    expect(await world.startProcess().remind({ limit: 5 })).toMatchObject({ state: 'limited', delivered: 5 })
    expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 18 })
  })

  test('the daily run is done, and not limited, if its limit was enough', async () => {
    await world.has(users(1, 12).permits(1), user(13).permits(1).signedInToday())
    expect(await world.startProcess().remind({ limit: 12 })).toMatchObject({ state: 'done', delivered: 12 })
  })

  test('the daily run with a limit reminds another in place of one that was given back', async () => {
    await world.has(users(1, 30).permits(1))
    const { send } = world.startProcess()
    let sends = 0
    const first = world.startProcess({
      concurrency: 1,
      send: async (message) => {
        if (++sends === 4) first.stop()
        return send(message)
      },
    })
    await first.remind({ limit: 10 })
    expect(world.reminded().length).toBeLessThan(10)
    expect(await world.runs()).toMatchObject([{ state: 'running' }])
    expect(await world.startProcess().remind()).toMatchObject({ state: 'limited' })
    expect(world.reminded()).toHaveLength(10)
    expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 20 })
  })

  test('sends one message alone, and the others only when it is answered', async () => {
    await world.has(users(1, 40).permits(1))
    world.wechat.addFault({ kind: 'hang', times: 1, ...ON_SEND })
    const running = world.startProcess({ timeoutMs: 500 }).remind()
    await eventually('the canary at WeChat', () => world.sends() > 0)
    // Claimed is only the canary as well: a mistake would touch nobody else.
    expect(await world.messages()).toHaveLength(1)
    expect(world.sends()).toBe(1)
    expect(await running).toMatchObject({ state: 'done', delivered: 40 })
  })

  test('shows its progress', async () => {
    await world.has(users(1, 20).permits(1))
    const seen: number[] = []
    await world.startProcess().remind({ onProgress: ({ delivered }) => seen.push(delivered) })
    expect(seen).toEqual(sorted(seen))
    expect(seen.at(-1)).toBe(20)
  })

  describe('a mistake of ours', () => {
    const mistakes = {
      'a wrong template': { account: { templateId: 'no-such-template' }, code: '40037' },
      'a wrong page': { account: { page: 'pages/nowhere' }, code: '41030' },
      'data that break the template': { account: { data: { keyword1: 'x' } }, code: '47003' },
    }

    test.each(Object.entries(mistakes))(
      '%s halts, gives everything back, and burns nothing',
      async (_, mistake) => {
        await world.has(users(1, 50).permits(2).lastReminded(20_261_118))
        const before = await world.books()
        const report = await world.startProcess().remind({ account: mistake.account })
        expect(report).toMatchObject({ state: 'halted', delivered: 0, cancelled: 1, retrying: 0, due: 50 })
        expect(report.reason).toContain(mistake.code)
        expect(await world.books()).toEqual(before)
        expect((await world.messages()).map(({ state }) => state)).toEqual(['cancelled'])
        expect(await world.runs()).toMatchObject([{ state: 'halted', reason: report.reason }])
        expect(world.sends()).toBe(1)

        expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 50 })
        expect(await world.runs()).toMatchObject([{ state: 'done', reason: null }])
      },
    )

    test('a wrong secret halts before any message leaves', async () => {
      await world.has(users(1, 10).permits(1))
      const before = await world.books()
      const report = await world.startProcess({ appSecret: 'not-the-secret' }).remind()
      expect(report).toMatchObject({ state: 'halted', delivered: 0, cancelled: 1 })
      expect(report.reason).toMatch(/40125|40001/)
      expect(world.sends()).toBe(0)
      expect(await world.books()).toEqual(before)
      expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 10 })
    })

    test('a mistake of ours that shows in the middle of the run gives back all who were not reminded', async () => {
      await world.has(users(1, 200).permits(2))
      const before = await world.books()
      world.wechat.addFault({ kind: 'errcode', errcode: 40037, after: 60, ...ON_SEND })
      expect(await world.startProcess().remind()).toMatchObject({
        state: 'halted',
        delivered: 60,
        retrying: 0,
      })
      const reminded = world.reminded()
      expect(without(await world.books(), reminded)).toEqual(without(before, reminded))
      world.wechat.clearFaults()
      expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 140 })
      expect(sorted(world.reminded())).toEqual(users(1, 200).ids)
    })

    test('a mistake of ours that WeChat reports once by mistake costs one user this run and no permit', async () => {
      await world.has(users(1, 40).permits(2))
      world.wechat.addFault({ kind: 'errcode', errcode: 40037, after: 10, times: 1, ...ON_SEND })
      expect(await world.startProcess().remind()).toMatchObject({
        state: 'done',
        delivered: 39,
        cancelled: 1,
      })
      expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 1 })
    })
  })

  test('a spent quota pauses and gives back; the next day goes on', async () => {
    await world.has(users(1, 50).permits(2))
    const before = await world.books()
    world.wechat.configure({ dailyQuotas: { [SEND_PATH]: 20 } })
    const queries = recordQueries(world.db)
    const report = await world.startProcess({ db: world.db }).remind()
    expect(report).toMatchObject({ state: 'paused', due: 20, delivered: 20, retrying: 0 })
    // An outage has a pause each minute.
    expect(queries.filter(({ sql }) => sql.includes('AS standings'))).toEqual([])
    expect(report.reason).toContain('45009')
    const reminded = world.reminded()
    expect(without(await world.books(), reminded)).toEqual(without(before, reminded))

    world.wechat.configure({ dailyQuotas: { [SEND_PATH]: 1_000 } })
    expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 30 })
  })

  describe('a spoiled permit', () => {
    test('a spoiled permit is followed by the next oldest, for the same message', async () => {
      await world.has(users(1, 10).permits(3))
      const used = (await world.permitsOf(4))[0]?.form_id ?? ''
      world.wechat.addFault({ kind: 'errcode', errcode: 41028, match: { form_id: used } })
      const unusable = (await world.permitsOf(5)).slice(0, 2)
      for (const { form_id } of unusable)
        world.wechat.addFault({ kind: 'errcode', errcode: 41029, match: { form_id } })
      expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 10, failed: 0 })
      expect(await world.permitsOf(4)).toMatchObject([
        { status: 1, errcode: 41028 },
        { status: 1 },
        { status: 0 },
      ])
      expect(await world.permitsOf(5)).toMatchObject([
        { status: 1, errcode: 41029 },
        { status: 1, errcode: 41029 },
        { status: 1, errcode: null },
      ])
      expect(await world.messages()).toHaveLength(10)
      expect(await world.counterOf(4)).toMatchObject({ count: 1 })
      expect(await world.counterOf(5)).toMatchObject({ count: 0 })
    })

    test('fails the message of a user who has no other', async () => {
      await world.has(users(1, 3).permits(1))
      const [permit] = await world.permitsOf(2)
      world.wechat.addFault({ kind: 'errcode', errcode: 41028, match: { form_id: permit?.form_id ?? '' } })
      expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 2, failed: 1 })
      expect(await world.counterOf(2)).toEqual({ count: 0, last_date: TODAY })
    })

    test('reported after a cut answer was the delivery: no second permit is spent', async () => {
      await world.has(users(1, 20).permits(3))
      // Of each of five the first attempt: of any five attempts one may be the second of a message cut before.
      for (let userId = 4; userId <= 8; userId++)
        world.wechat.addFault({ kind: 'cut_after', times: 1, match: { open_id: openIdOf(userId) } })
      expect(await world.startProcess().remind()).toMatchObject({
        state: 'done',
        delivered: 20,
        failed: 0,
        unknown: 0,
      })
      expect(world.wechat.summary()).toMatchObject({ delivered: 20, unanswered: 5 })
      for (let userId = 1; userId <= 20; userId++)
        expect(await world.counterOf(userId)).toMatchObject({ count: 2 })
    })
  })

  describe('a passing trouble', () => {
    test('a busy WeChat is asked again with the same permits', async () => {
      await world.has(users(1, 20).permits(2))
      // Each once: the same message six times would end it.
      for (let userId = 2; userId <= 9; userId++)
        world.wechat.addFault({
          kind: 'errcode',
          errcode: -1,
          times: 1,
          match: { open_id: openIdOf(userId) },
        })
      expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 20 })
      for (let userId = 1; userId <= 20; userId++)
        expect(await world.counterOf(userId)).toMatchObject({ count: 1 })
    })

    test('a limit by the minute is waited for', async () => {
      await world.has(users(1, 10).permits(1))
      world.wechat.addFault({ kind: 'errcode', errcode: 45011, times: 3, after: 1, ...ON_SEND })
      const running = world.startProcess().remind()
      const waiting = async () => (await world.messages()).filter(({ state }) => state === 'retry')
      await eventually('three wait, seven are delivered', async () => {
        return (await waiting()).length === 3 && world.reminded().length === 7
      })
      for (const { next_attempt_at } of await waiting()) expect(next_attempt_at).toBe(NOW + 60_000)
      world.clock.advance(60_000)
      expect(await running).toMatchObject({ state: 'done', delivered: 10 })
    })

    test('a person who never can be reached ends after six attempts', async () => {
      await world.has(users(1, 10).permits(2))
      const [permit] = await world.permitsOf(3)
      world.wechat.addFault({ kind: 'errcode', errcode: 43108, match: { form_id: permit?.form_id ?? '' } })
      world.clock.run(200)
      expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 9, cancelled: 1 })
      expect(world.wechat.stats().answers[SEND_PATH]).toMatchObject({ 43108: 6 })
      expect(await world.counterOf(3)).toEqual({ count: 2, last_date: 0 })
    })

    test('where nobody answers, pauses in the end, gives back and loses nothing', async () => {
      await world.has(users(1, 8).permits(1))
      const before = await world.books()
      const report = await world.startProcess({ baseUrl: await refusedUrl() }).remind()
      // One alone at a time, and nobody else is touched.
      expect(report).toMatchObject({ state: 'paused', delivered: 0, cancelled: 5, retrying: 0 })
      expect(await world.books()).toEqual(before)
      expect(await world.runs()).toMatchObject([{ state: 'running', reason: report.reason }])
    })

    test('a token that dies is replaced, and nobody notices', async () => {
      await world.has(users(1, 40).permits(1))
      world.wechat.addFault({ kind: 'token_dead', times: 1, after: 15, ...ON_SEND })
      expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 40 })
    })
  })

  test('a user who refuses is failed and left alone on the next day', async () => {
    await world.has(users(1, 5).permits(3))
    const [permit] = await world.permitsOf(2)
    world.wechat.addFault({ kind: 'errcode', errcode: 43101, match: { form_id: permit?.form_id ?? '' } })
    expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 4, failed: 1 })
    world.clock.advance(DAY_MS)
    expect(await world.startProcess().remind()).toMatchObject({
      date: addDays(TODAY, 1),
      delivered: 4,
      due: 4,
    })
  })

  test.each([-1, 1, 30])(
    'a run of another day (%i days from today) is refused, and nothing is written',
    async (days) => {
      await world.has(users(1, 3).permits(2))
      const before = await world.books()
      const process = world.startProcess()
      expect(await process.remind()).toMatchObject({ state: 'done' })
      await expect(process.remind({ date: addDays(TODAY, days) })).rejects.toThrow(/today is 2026-11-20/)
      expect(await world.runs()).toMatchObject([{ slot: TODAY, state: 'done' }])
      expect((await world.books()).counters).toHaveLength(before.counters?.length ?? 0)
      expect(world.sends()).toBe(3)
    },
  )

  describe('the sending window', () => {
    test('the sending window that has closed lets nothing out', async () => {
      await world.has(users(1, 5).permits(1))
      const before = await world.books()
      world.clock.advance(12 * HOUR_MS)
      const report = await world.startProcess().remind()
      expect(report).toMatchObject({ state: 'window_closed', delivered: 0, due: 5 })
      expect(report.reason).toContain('22:00 Asia/Shanghai')
      expect(world.sends()).toBe(0)
      expect(await world.books()).toEqual(before)
    })

    test('the sending window that closes during the run leaves the rest for tomorrow', async () => {
      await world.has(users(1, 30).permits(3))
      const process = world.startProcess({
        send: async () => {
          world.clock.set(NOW + 12 * HOUR_MS)
          return { kind: 'refused', errcode: 43101, errmsg: '', entry: { ...REFUSED_BY_USER } }
        },
      })
      expect(await process.remind()).toMatchObject({ state: 'window_closed', failed: 1, due: 30 })
      expect(await world.messages()).toHaveLength(1)
      expect(await world.runs()).toMatchObject([{ state: 'window_closed' }])
      world.clock.set(NOW + DAY_MS)
      expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 29 + 1 })
    })
  })

  test('stopped by a signal stays open, and the next process goes on with it', async () => {
    await world.has(users(1, 80).permits(1))
    const { send } = world.startProcess()
    let sends = 0
    const first = world.startProcess({
      concurrency: 2,
      send: async (message) => {
        if (++sends === 5) first.stop()
        return send(message)
      },
    })
    const report = await first.remind()
    expect(report).toMatchObject({ state: 'paused', retrying: 0 })
    expect(report.delivered).toBeLessThan(80)
    expect(await world.runs()).toMatchObject([{ state: 'running' }])
    expect(await world.startProcess().remind()).toMatchObject({ state: 'done' })
    // Who was given back behind the cursor waits for a run that starts over.
    await world.startProcess().remind()
    expect(sorted(world.reminded())).toEqual(users(1, 80).ids)
  })
})

const REFUSED_BY_USER = {
  errcode: 43101,
  name: 'user_refused',
  class: 'user',
  meaning: '',
  meaning_zh: '',
} as const

describe.each(dialects)('time zones on %s', (dialect) => {
  const world = useWorld(dialect)

  test.each([
    ['Asia/Shanghai', '2026-11-20T23:58:00+08:00'],
    ['America/New_York', '2026-11-20T23:58:00-05:00'],
    ['Pacific/Kiritimati', '2026-11-20T23:58:00+14:00'],
    ['Asia/Kathmandu', '2026-11-20T23:58:00+05:45'],
  ])('a new day begins at midnight in %s', async (timezone, beforeMidnight) => {
    const account = { timezone, sendUntil: { hour: 23, minute: 59 } }
    world.clock.set(Date.parse(beforeMidnight))
    await world.has(users(1, 3).permits(3))
    const process = world.startProcess()
    expect(await process.remind({ account })).toMatchObject({ date: 20_261_120, state: 'done', delivered: 3 })
    world.clock.advance(119_000)
    expect(await process.remind({ account })).toMatchObject({ date: 20_261_120, delivered: 0 })
    world.clock.advance(1_000)
    expect(await process.remind({ account })).toMatchObject({ date: 20_261_121, state: 'done', delivered: 3 })
    expect(await world.counterOf(1)).toEqual({ count: 1, last_date: 20_261_121 })
  })
})
