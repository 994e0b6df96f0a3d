import { describe, expect, test } from 'vitest'
import type { Account } from '../../src/account.js'
import { execute } from '../../src/db/sql.js'
import { sendTest } from '../../src/reminders/send-test.js'
import { sendSubmitted } from '../../src/submitted/worker.js'
import type { SendResult } from '../../src/wechat/client.js'
import { DAY_MS, SEND_PATH, SUBSCRIBE_PATH, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { openIdOf, user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

const SUBSCRIBE = { channel: 'subscribe' } as const

describe.each(dialects)('a test message on %s', (dialect) => {
  const world = useWorld(dialect)

  const send = (userId: number, changes: Partial<Account> = {}) =>
    sendTest(
      world.startProcess(),
      { ...world.account, ...changes },
      openIdOf(userId),
      new AbortController().signal,
    )

  test('takes the oldest permit of its person, and says what the reminder of today would', async () => {
    await world.has(user(7).permits(3).streak(4), user(8).permits(1))
    const [oldest, ...others] = await world.permitsOf(7)
    const sent = await send(7)
    expect(sent).toMatchObject({
      state: 'delivered',
      user_id: 7,
      permit: { id: oldest?.id, source: 'form', mark: expect.stringMatching(/^[0-9a-f]{12}$/) },
      replaced_by: null,
      data: { keyword2: { value: '已经连续答题4天' } },
      errcode: null,
      meaning: 'WeChat accepted it.',
    })
    expect(JSON.stringify(sent)).not.toContain(openIdOf(7))
    expect(world.wechat.ledger()).toMatchObject([{ open_id: openIdOf(7), form_id: oldest?.form_id }])
    expect(await world.permitsOf(7)).toMatchObject([
      { status: 1, message_id: sent.message_id },
      ...others.map(() => ({ status: 0, message_id: 0 })),
    ])
    expect(await world.counterOf(7)).toMatchObject({ count: 2 })
    expect(await world.counterOf(8)).toMatchObject({ count: 1 })
  })

  test('does not count as the reminder of the day, which still goes out', async () => {
    await world.has(
      user(7)
        .permits(2)
        .lastReminded(TODAY - 1),
    )
    await send(7)
    expect(await world.counterOf(7)).toEqual({ count: 1, last_date: TODAY - 1 })
    expect(await world.startProcess().remind()).toMatchObject({ due: 1, delivered: 1 })
    expect(await world.counterOf(7)).toEqual({ count: 0, last_date: TODAY })
    const messages = await world.messages()
    expect(messages).toMatchObject([
      { kind: 'api', business_date: null, run_id: null, state: 'delivered' },
      { kind: 'reminder', business_date: TODAY, state: 'delivered' },
    ])
  })

  test('goes out after the reminder of the day too, and leaves its day alone', async () => {
    await world.has(user(7).permits(2))
    await world.startProcess().remind()
    expect(await send(7)).toMatchObject({ state: 'delivered' })
    expect(await world.counterOf(7)).toEqual({ count: 0, last_date: TODAY })
  })

  test('takes a subscription of the template on that channel', async () => {
    await world.has(user(7).permits(1).subscriptions(1))
    expect(await send(7, SUBSCRIBE)).toMatchObject({
      state: 'delivered',
      permit: { source: 'subscribe' },
      msgid: expect.stringMatching(/^\d+$/),
    })
    expect(await world.counterOf(7)).toMatchObject({ count: 1 })
    await expect(send(7, SUBSCRIBE)).rejects.toMatchObject({ code: 'conflict' })
  })

  test('is refused before anything is written to somebody unknown, without a permit, or stopped', async () => {
    await world.has(user(7).permits(1).optedOut(), user(8).permitFor(30_000), user(9).permits(0))
    const before = await world.books()
    await expect(send(6)).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('No such person'),
    })
    await expect(send(7)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('opted out'),
    })
    await expect(send(8)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('no permit'),
    })
    expect(await world.messages()).toEqual([])
    expect(world.sends()).toBe(0)
    expect(await world.books()).toEqual(before)
  })

  test('refused for a mistake of ours, it gives its permit back and says what to set right', async () => {
    await world.has(user(7).permits(1))
    const before = await world.books()
    world.wechat.addFault({ kind: 'errcode', errcode: 40037, match: { path: SEND_PATH } })
    const sent = await send(7)
    expect(sent).toMatchObject({ state: 'cancelled', errcode: 40037, rid: expect.any(String) })
    expect(sent.meaning).toMatch(/template/i)
    expect(sent.meaning_zh).toMatch(/template_id 不属于该账号/)
    expect(sent.what_to_do).toContain('given back')
    expect(await world.books()).toEqual(before)
  })

  test('refused by the user, it has failed, and the wish is on record', async () => {
    await world.has(user(7).subscriptions(2))
    world.wechat.addFault({ kind: 'errcode', errcode: 43101, times: 1, match: { path: SUBSCRIBE_PATH } })
    expect(await send(7, SUBSCRIBE)).toMatchObject({ state: 'failed', errcode: 43101 })
    await expect(send(7, SUBSCRIBE)).rejects.toMatchObject({ code: 'conflict' })
  })

  test('that WeChat did not take is not sent later: its permit is given back', async () => {
    await world.has(user(7).permits(1), user(8).subscriptions(1))
    const before = await world.books()
    for (const path of [SEND_PATH, SUBSCRIBE_PATH])
      world.wechat.addFault({ kind: 'errcode', errcode: 45011, match: { path } })
    expect(await send(7)).toMatchObject({ state: 'cancelled', errcode: 45011 })
    expect(await send(8, SUBSCRIBE)).toMatchObject({ state: 'cancelled', errcode: 45011 })
    expect(await world.books()).toEqual(before)
    world.wechat.clearFaults()
    world.clock.advance(DAY_MS / 24)
    await world.startProcess().recover()
    expect(world.wechat.ledger()).toEqual([])
  })

  test('whose answer was lost waits on a form_id for the same permit to tell, and is unknown elsewhere', async () => {
    await world.has(user(7).permits(1), user(8).subscriptions(1))
    world.wechat.addFault({ kind: 'cut_after', times: 1, match: { path: SEND_PATH } })
    world.wechat.addFault({ kind: 'cut_after', times: 1, match: { path: SUBSCRIBE_PATH } })
    expect(await send(8, SUBSCRIBE)).toMatchObject({
      state: 'unknown',
      what_to_do: expect.stringContaining('may have been delivered'),
    })
    expect(await send(7)).toMatchObject({ state: 'retry' })
    world.clock.advance(60_000)
    await sendSubmitted(world.startProcess(), world.account, new AbortController().signal)
    expect((await world.messages()).map(({ user_id, state }) => [user_id, state])).toEqual([
      [8, 'unknown'],
      [7, 'delivered'],
    ])
    expect(world.wechat.ledger()).toHaveLength(2)
  })

  test('goes on with the next permit where WeChat refuses one as spoiled', async () => {
    await world.has(user(7).permits(2))
    const [first, second] = await world.permitsOf(7)
    world.wechat.addFault({ kind: 'errcode', errcode: 41028, match: { form_id: first?.form_id ?? '' } })
    expect(await send(7)).toMatchObject({
      state: 'delivered',
      permit: { id: first?.id },
      replaced_by: second?.id,
    })
  })

  test('takes no permit that another open_id of the same user gave', async () => {
    await world.has(user(7).permits(1), user(8).permits(1))
    const of8 = openIdOf(8)
    await execute(world.db, 'UPDATE wx_save_form_id SET user_id = 7 WHERE open_id = ?', [of8])
    await execute(world.db, 'DELETE FROM wx_message_push_status WHERE user_id = 8')
    await execute(world.db, 'UPDATE wx_message_push_status SET count = 2 WHERE user_id = 7')
    const sent = await sendTest(world.startProcess(), world.account, of8, new AbortController().signal)
    expect(sent).toMatchObject({ state: 'delivered', user_id: 7 })
    expect(world.wechat.ledger()).toMatchObject([{ open_id: of8 }])
    await expect(
      sendTest(world.startProcess(), world.account, of8, new AbortController().signal),
    ).rejects.toMatchObject({
      code: 'conflict',
    })
  })

  test('two at the same moment take two permits, and a third finds none', async () => {
    await world.has(user(7).permits(2))
    const ends = await Promise.allSettled([send(7), send(7), send(7)])
    expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'fulfilled', 'rejected'])
    expect(world.wechat.ledger()).toHaveLength(2)
    expect(await world.counterOf(7)).toMatchObject({ count: 0 })
  })

  test('beside a run, neither loses a permit nor takes one twice', async () => {
    await world.has(users(1, 30).permits(2))
    const process = world.startProcess()
    const [report, ...sent] = await Promise.all([process.remind(), send(3), send(17), send(30)])
    expect(sent.map(({ state }) => state)).toEqual(['delivered', 'delivered', 'delivered'])
    expect(report).toMatchObject({ state: 'done' })
    // A user whose permit the test held at that moment is passed over, and comes with the next look.
    await world.startProcess().remind()
    expect(world.wechat.ledger()).toHaveLength(33)
    for (const id of [3, 17, 30]) expect(await world.counterOf(id)).toEqual({ count: 0, last_date: TODAY })
  })

  test('of a command that died, another process sends it with the same permit', async () => {
    await world.has(user(7).permits(2))
    const [oldest] = await world.permitsOf(7)
    let letGo: (result: SendResult) => void = () => {}
    const frozen = world.startProcess({ send: () => new Promise((resolve) => (letGo = resolve)) })
    const sending = sendTest(frozen, world.account, openIdOf(7), new AbortController().signal)
    await eventually('its request is under way', async () => (await world.messages())[0]?.state === 'sending')
    await world.lapseLeases()
    expect(await world.startProcess().recover()).toMatchObject({ delivered: 1 })
    expect(world.wechat.ledger()).toMatchObject([{ form_id: oldest?.form_id }])
    letGo({ kind: 'unreachable', reason: 'aborted' })
    expect(await sending).toMatchObject({ state: 'delivered' })
    expect(await world.counterOf(7)).toMatchObject({ count: 1 })
  })

  test('stopped before it was claimed, it takes nothing', async () => {
    await world.has(user(7).permits(1))
    const before = await world.books()
    const stopped = sendTest(world.startProcess(), world.account, openIdOf(7), AbortSignal.abort())
    await expect(stopped).rejects.toMatchObject({ code: 'not_ready' })
    expect(await world.books()).toEqual(before)
    expect(await world.messages()).toEqual([])
  })
})
