import { describe, expect, test } from 'vitest'
import { findUserDetail } from '../../src/user-data/detail.js'
import { findMessagePage } from '../../src/user-data/messages.js'
import { findPermitPage } from '../../src/user-data/permits.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, NOW, SEND_PATH } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { openIdOf, user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)('what is on record about a user, on %s', (dialect) => {
  const world = useWorld(dialect)
  const detail = (userId: number) => findUserDetail(world.db, world.account, userId, world.clock.now())
  const failing = (errcode: number, times: number) =>
    world.wechat.addFault({ kind: 'errcode', errcode, times, match: { path: SEND_PATH } })

  test('a number that nobody has been seen with is not found', async () => {
    await world.has(user(1).permits(1))
    await expect(detail(2)).rejects.toMatchObject({ code: 'not_found' })
    await expect(
      findUserDetail(world.db, { ...world.account, appId: 'wxOther' }, 1, NOW),
    ).rejects.toMatchObject({ code: 'not_found' })
  })

  test.each<[string, ReturnType<typeof user>]>([
    ['an opted-out person', user(7).optedOut()],
    ['a sign-in', user(7).signedInToday()],
    ['a counter', user(7)],
  ])('%s alone is a record', async (_, story) => {
    await world.has(story)
    if (story.facts.stop || story.facts.signedInToday) await world.db('wx_message_push_status').delete()
    expect(await detail(7)).toMatchObject({ user_id: 7, messages: { items: [], next: null } })
  })

  test('says who, what is left and for what, until which day of the account’s zone', async () => {
    await world.has(
      user(7)
        .permits(2)
        .permitFor(DAY_MS + HOUR_MS)
        .subscriptions(3)
        .streak(4)
        .blocked(),
    )
    expect(await detail(7)).toMatchObject({
      user_id: 7,
      open_ids: [{ open_id: openIdOf(7), union_id: null, known_since_at: '2026-11-20T01:00:00.000Z' }],
      counter: { count: 6, last_date: null },
      stops: [
        {
          open_id: openIdOf(7),
          kind: 'blocked',
          since_at: '2026-11-20T01:00:00.000Z',
          answer: null,
          message_id: null,
        },
      ],
      permits: {
        unspent: 6,
        spent: 0,
        expired: 0,
        all_counted: true,
        groups: [
          { source: 'form', template_id: null, expires_on: '2026-11-21', permits: 2 },
          { source: 'form', template_id: null, expires_on: '2026-11-22', permits: 1 },
          { source: 'subscribe', template_id: world.account.templateId, expires_on: null, permits: 3 },
        ],
        next: null,
      },
      sign_ins: {
        signed_in: false,
        streak: 0,
        streak_before: 4,
        items: [{ date: '2026-11-19', streak: 4 }],
      },
    })
    const late = Date.parse('2026-11-21T23:50:00+08:00') - NOW
    await world.has(
      user(8)
        .permitFor(late)
        .permitFor(late + 20 * MINUTE_MS),
    )
    const groupsIn = async (timezone: string) =>
      (await findUserDetail(world.db, { ...world.account, timezone }, 8, NOW)).permits.groups
    expect(await groupsIn('Asia/Shanghai')).toMatchObject([
      { expires_on: '2026-11-21' },
      { expires_on: '2026-11-22' },
    ])
    expect(await groupsIn('Asia/Kathmandu')).toMatchObject([{ expires_on: '2026-11-21', permits: 2 }])
  })

  test('shows each attempt that met a spoiled permit, and the last one', async () => {
    await world.has(user(7).permits(3))
    failing(41028, 2)
    expect(await world.startProcess().remind()).toMatchObject({ delivered: 1 })
    const { messages, permits, counter } = await detail(7)
    const [first, second, third] = (await world.permitsOf(7)).map(({ id }) => id)
    expect(messages).toMatchObject({
      next: null,
      items: [
        {
          kind: 'reminder',
          date: '2026-11-20',
          state: 'delivered',
          channel: 'form_id',
          texts: { keyword2: '已经连续答题0天', keyword4: '2026.11.20 星期五' },
          open_id: openIdOf(7),
          permit_id: third,
          attempts: 3,
          attempts_on_record: [
            { permit_id: first, answer: { errcode: 41028, name: expect.any(String) } },
            { permit_id: second, answer: { errcode: 41028, meaning_zh: expect.stringMatching(/./) } },
            { permit_id: third, answer: { errcode: 0 } },
          ],
          answer: null,
          settled_at: expect.stringMatching(/^2026-11-20T/),
        },
      ],
    })
    expect(messages.items[0]?.trace_id).toBe(`message-${messages.items[0]?.id}`)
    expect(counter).toEqual({ count: 0, last_date: '2026-11-20' })
    expect(permits).toMatchObject({ unspent: 0, spent: 3, groups: [] })
  })

  test('says that earlier answers are not on record where a retry kept its permit', async () => {
    await world.has(user(7).permits(1))
    failing(43117, 2)
    const process = world.startProcess()
    expect(await process.remind()).toMatchObject({ retrying: 1 })
    expect((await detail(7)).messages.items).toMatchObject([
      {
        state: 'retry',
        attempts: 1,
        attempts_on_record: [{ answer: { errcode: 43117, name: 'too_frequent_for_openid' } }],
        answer: { errcode: 43117 },
        next_attempt_at: expect.stringMatching(/^2026-11-20T/),
        settled_at: null,
      },
    ])
    for (let i = 0; i < 2; i++) {
      world.clock.advance(HOUR_MS)
      await process.recover()
    }
    const [message] = (await detail(7)).messages.items
    expect(message).toMatchObject({ state: 'delivered', attempts: 3 })
    expect(message?.attempts_on_record).toMatchObject([{ answer: { errcode: 0 } }])
  })

  test('tells by which message WeChat’s refusal stopped the user', async () => {
    await world.has(user(7).permits(2))
    failing(43004, 1)
    await world.startProcess().remind()
    const { stops, messages } = await detail(7)
    const [message] = messages.items
    expect(message).toMatchObject({ state: 'failed', answer: { errcode: 43004 } })
    expect(stops).toMatchObject([{ message_id: message?.id, answer: { errcode: 43004 } }])
  })

  test('finds reminders that were given back, with the day of their run', async () => {
    await world.has(users(7, 8).permits(1))
    expect(await world.startProcess({ appSecret: 'wrong' }).remind()).toMatchObject({ state: 'halted' })
    expect(await world.startProcess().remind()).toMatchObject({ delivered: 2 })
    const states = (await detail(7)).messages.items.map(({ date, state }) => [date, state])
    expect(states).toEqual([
      ['2026-11-20', 'delivered'],
      ['2026-11-20', 'cancelled'],
    ])
  })

  test('pages through messages and permits, each once and the newest first', async () => {
    const days = 5
    await world.has(user(7).permits(2 * days), user(8).permits(days))
    for (let day = 0; day < days; day++) {
      await world.startProcess().remind()
      world.clock.advance(DAY_MS)
    }
    const seen: (string | null)[] = []
    let before: string | null = null
    do {
      const page = await findMessagePage(world.db, world.account.appId, 7, {
        limit: 2,
        before: before === null ? undefined : Number(before),
      })
      expect(page.items.length).toBeLessThanOrEqual(2)
      seen.push(...page.items.map(({ date }) => date))
      before = page.next
    } while (before !== null)
    expect(seen).toEqual(['2026-11-24', '2026-11-23', '2026-11-22', '2026-11-21', '2026-11-20'])

    for (const status of [undefined, 'spent', 'unspent'] as const) {
      const all = await world.permitsOf(7)
      const wanted = all.filter((p) => status === undefined || p.status === (status === 'spent' ? 1 : 0))
      const ids: number[] = []
      for (let next: string | null | undefined; next !== null; ) {
        const page = await findPermitPage(world.db, world.account.appId, 7, {
          limit: 3,
          before: next,
          status,
        })
        expect(page.items.length).toBeLessThanOrEqual(3)
        ids.push(...page.items.map(({ id }) => id))
        next = page.next
      }
      expect(ids).toEqual(wanted.map(({ id }) => id).reverse())
    }
  })

  test('pages through permits that run out at one moment', async () => {
    await world.has(user(7).subscriptions(7).permitFor(DAY_MS))
    const ids: number[] = []
    for (let next: string | null | undefined; next !== null; ) {
      const page = await findPermitPage(world.db, world.account.appId, 7, { limit: 3, before: next })
      ids.push(...page.items.map(({ id }) => id))
      next = page.next
    }
    expect(ids).toEqual((await world.permitsOf(7)).map(({ id }) => id).reverse())
  })

  test('knows numbers beyond 2^53', async () => {
    const userId = 9_007_199_254_740_993n
    await world.db('wx_user').insert({
      app_id: world.account.appId,
      open_id: 'oBig',
      user_id: String(userId),
      created_at: 0,
      updated_at: 1,
    })
    expect(await findUserDetail(world.db, world.account, userId, NOW)).toMatchObject({
      user_id: '9007199254740993',
      open_ids: [{ open_id: 'oBig', known_since_at: null }],
    })
    await expect(detail(Number(userId - 1n))).rejects.toMatchObject({ code: 'not_found' })
  })
})
