import { describe, expect, test } from 'vitest'
import { restoreVoided } from '../../src/books/index.js'
import { createIngest } from '../../src/permits/ingest.js'
import { planRun } from '../../src/reminders/plan.js'
import { findRunStatus } from '../../src/reminders/status.js'
import { forecastNow } from '../../src/summaries/forecast.js'
import { findUserDetail } from '../../src/user-data/detail.js'
import { eraseUser } from '../../src/user-data/erase.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, NOW, SEND_PATH, TEMPLATE_ID, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { addPermits, refuseRows } from '../helpers/rows.js'
import { openIdOf, user, users } from '../helpers/users.js'
import { useWorld, type World, without } from '../helpers/world.js'

const erase = ({ db, account: { appId }, clock, startProcess }: World, userId: number) =>
  eraseUser({ db, appId, log: startProcess().log }, { userId, traceId: 't' }, clock.now())

/** Every value of every table, to look for what must not be there any more. */
async function everything({ db }: World): Promise<string> {
  const tables = [
    'wx_save_form_id',
    'wx_message_push_status',
    'wx_push_message',
    'wx_user',
    'wx_callback_event',
    'wx_sign_in',
    'wx_job_run',
    'wx_message_retry',
    'wx_run_outcome',
    'wx_stop_history',
  ]
  return JSON.stringify(await Promise.all(tables.map((table) => db(table))))
}

const bind = ({ db, account }: World, openId: string, userId: number | null, more: object = {}) =>
  db('wx_user').insert({
    app_id: account.appId,
    open_id: openId,
    user_id: userId,
    created_at: 1,
    updated_at: 1,
    ...more,
  })

let events = 0
const event = ({ db, account }: World, openId: string, more: object = {}) =>
  db('wx_callback_event').insert({
    app_id: account.appId,
    open_id: openId,
    event: 'subscribe_msg_popup_event',
    event_time: 1,
    event_key: `key-${++events}`,
    payload: '{"PopupScene":"0"}',
    state: 'done',
    trace_id: 't',
    received_at: NOW,
    ...more,
  })

describe.each(dialects)('an erasure on %s', (dialect) => {
  const world = useWorld(dialect)

  test('leaves nothing that leads to the person, and everybody else as they were', async () => {
    await world.has(users(7, 8).permits(3).subscriptions(1).streak(2))
    await bind(world, openIdOf(7), 7, { union_id: 'uSeven' })
    await bind(world, openIdOf(8), 8, { union_id: 'uEight' })
    await event(world, openIdOf(7))
    await event(world, openIdOf(8))
    world.wechat.addFault({ kind: 'errcode', errcode: 41028, times: 1, match: { path: SEND_PATH } })
    await world.startProcess().remind()
    await world.db('wx_save_form_id').where({ user_id: 7 }).update({ page: 'pages/a?who=seven' })
    const [message] = (await world.messages()).filter(({ user_id }) => user_id === 7)
    await world.db('wx_push_message').where({ id: message?.id }).update({ rid: 'rid-of-seven' })
    await world
      .db('wx_run_outcome')
      .where({ outcome: 'delivered' })
      .update({ sample_rid: 'rid-of-seven', sample_message_id: message?.id })
    const formIds = (await world.permitsOf(7)).map(({ form_id }) => form_id)
    const [runBefore, othersBefore] = [await world.runs(), without(await world.books(), [7])]
    await world.expectAuditClean()

    expect(await erase(world, 7)).toEqual({
      user_id: 7,
      open_ids: 1,
      permits: 4,
      voided: 2,
      messages: 1,
      events: 1,
      complete: true,
    })
    const text = await everything(world)
    for (const personal of [openIdOf(7), 'uSeven', 'seven', ...formIds]) expect(text).not.toContain(personal)
    expect(text).toContain('uEight')
    expect(await world.runs()).toEqual(runBefore)
    expect(without(await world.books(), [7])).toEqual(othersBefore)
    expect(await world.counterOf(7)).toEqual({ count: 0, last_date: TODAY })
    expect((await world.permitsOf(7)).map(({ status }) => status).sort()).toEqual([1, 1, 2, 2])
    expect((await world.messages()).find(({ user_id }) => user_id === 7)).toMatchObject({
      state: 'delivered',
      attempts: 2,
      rid: null,
      streak: 0,
    })
    const detail = await findUserDetail(world.db, world.account, 7, NOW)
    expect(detail).toMatchObject({ open_ids: [], stops: [], permits: { unspent: 0, spent: 2, expired: 2 } })
    const [line] = world.logged.filter((logged) => logged.includes('user.erased'))
    expect(JSON.parse(line ?? '')).toMatchObject({ user_id: 7, permits: 4, voided: 2, complete: true })
  })

  test('changes nothing when it is repeated, nor for a number that nobody has', async () => {
    await world.has(user(7).permits(2))
    await erase(world, 7)
    const before = await everything(world)
    const nothing = { open_ids: 0, permits: 0, voided: 0, messages: 0, events: 0, complete: true }
    expect(await erase(world, 7)).toEqual({ user_id: 7, ...nothing })
    expect(await erase(world, 99)).toEqual({ user_id: 99, ...nothing })
    expect(await everything(world)).toEqual(before)
  })

  test('forgets all open_ids of a user, and what they gave for whomever', async () => {
    await world.has(user(8).permits(1))
    for (const openId of ['oA', 'oB']) await bind(world, openId, 7)
    await bind(world, 'oC', 8)
    await addPermits(world.db, [
      { user_id: 7, open_id: 'oA', form_id: 'FA' },
      { user_id: 7, open_id: 'oB', form_id: 'FB', status: 2 },
      // Spent before its giver was handed over from 8 to 7, and by one who was handed over from 7 to 8.
      { user_id: 8, open_id: 'oA', form_id: 'FA8', status: 1 },
      { user_id: 7, open_id: 'oC', form_id: 'FC', status: 1 },
      // By hand: an unspent permit of another user.
      { user_id: 9, open_id: 'oB', form_id: 'FB9' },
    ])
    for (const openId of ['oA', 'oB', 'oC']) await event(world, openId)
    expect(await erase(world, 7)).toMatchObject({ open_ids: 2, permits: 5, voided: 2, events: 2 })
    const text = await everything(world)
    for (const gone of ['oA', 'oB', 'FA', 'FB', 'FC', 'FA8', 'FB9']) expect(text).not.toContain(`"${gone}"`)
    expect(await world.db('wx_user').pluck('open_id')).toEqual(['oC'])
    expect(await world.db('wx_callback_event').pluck('open_id')).toEqual(['oC'])
    expect(await world.counterOf(8)).toMatchObject({ count: 1 })
    expect(await world.counterOf(9)).toMatchObject({ count: 0 })
  })

  test('forgets people who gave permits and were never bound, and those who only logged in', async () => {
    await addPermits(world.db, [{ user_id: 7, open_id: 'oOld', form_id: 'F' }])
    await bind(world, 'oOld', null, { union_id: 'uOld' })
    await event(world, 'oOld')
    expect(await erase(world, 7)).toMatchObject({ open_ids: 1, permits: 1, events: 1 })
    await bind(world, 'oLogin', 6)
    expect(await erase(world, 6)).toMatchObject({ open_ids: 1, permits: 0 })
    expect(await everything(world)).not.toMatch(/oOld|uOld|oLogin/)
  })

  test('stays within the account', async () => {
    await addPermits(world.db, [
      { user_id: 7, open_id: 'oA', form_id: 'F' },
      { app_id: 'wxOther', user_id: 7, open_id: 'oA', form_id: 'F' },
    ])
    await erase(world, 7)
    expect(await world.db('wx_save_form_id').where({ app_id: 'wxOther' })).toMatchObject([
      { open_id: 'oA', form_id: 'F', status: 0 },
    ])
  })

  test('gives each of several uses of a payment, a name of its own', async () => {
    const { appId } = world.account
    const payment = { appId, openId: 'oA', userId: 7, formId: 'wxPAY', source: 'pay' as const }
    await createIngest(world.db).upload([{ ...payment, page: undefined, submittedAt: NOW }], NOW)
    expect(await erase(world, 7)).toMatchObject({ permits: 3, voided: 3 })
    expect(new Set((await world.permitsOf(7)).map(({ form_id }) => form_id)).size).toBe(3)
    // The name cannot be taken before: no upload may have a blank.
    const named = {
      ...payment,
      formId: 'erased 1',
      source: 'form' as const,
      page: undefined,
      submittedAt: NOW,
    }
    expect(await createIngest(world.db).upload([named], NOW)).toMatchObject([{ reason: 'malformed' }])
  })

  test('ends a message that waits for another attempt, and gives its permit back first', async () => {
    await world.has(users(7, 8).permits(1))
    await bind(world, openIdOf(7), 7)
    world.wechat.addFault({ kind: 'errcode', errcode: 43117, times: 2, match: { path: SEND_PATH } })
    const process = world.startProcess()
    await process.remind()
    expect((await world.messages()).map(({ state }) => state)).toEqual(['retry', 'retry'])
    expect(await erase(world, 7)).toMatchObject({ permits: 1, voided: 1 })
    world.clock.advance(2 * HOUR_MS)
    await process.recover()
    expect((await world.messages()).map(({ state }) => state)).toEqual(['cancelled', 'delivered'])
    expect(world.reminded()).toEqual([8])
    expect(await world.counterOf(7)).toEqual({ count: 0, last_date: 0 })
    expect(await planRun(world.db, world.account, TODAY, world.clock.now())).toMatchObject({ due: 0 })
  })

  test('leaves a doubt a doubt where an attempt may have reached WeChat', async () => {
    await world.has(user(7).permits(1))
    world.wechat.addFault({ kind: 'errcode', errcode: 43117, times: 1, match: { path: SEND_PATH } })
    await world.startProcess().remind()
    await world.db('wx_push_message').update({ maybe_sent: 1 })
    await erase(world, 7)
    expect(await world.messages()).toMatchObject([{ state: 'unknown' }])
  })

  test('waits for a message that is being sent, stops all others at once, and then erases', async () => {
    await world.has(users(7, 8).permits(2))
    await bind(world, openIdOf(7), 7)
    let answer: () => void = () => {}
    const sent = new Promise<void>((resolve) => {
      answer = resolve
    })
    const process = world.startProcess({
      send: async () => {
        await sent
        return { kind: 'accepted' }
      },
    })
    const run = process.remind()
    await eventually('the message is being sent', async () => (await world.messages()).length > 0)
    await expect(erase(world, 7)).rejects.toMatchObject({ code: 'conflict', retryAfterSeconds: 20 })
    expect(await world.db('wx_user').where({ user_id: 7 })).toMatchObject([
      { open_id: openIdOf(7), opted_out_at: world.clock.now() },
    ])
    answer()
    await run
    expect(await erase(world, 7)).toMatchObject({ permits: 2, voided: 1, open_ids: 1 })
    world.clock.advance(DAY_MS)
    await world.startProcess({ send: async () => ({ kind: 'accepted' }) }).remind()
    expect((await world.messages()).map(({ user_id }) => user_id)).toEqual([7, 8, 8])
  })

  test('goes on where it was cut short, also in the middle of a user’s permits', async () => {
    await bind(world, 'oA', 7)
    await event(world, 'oA')
    await addPermits(
      world.db,
      Array.from({ length: 3_000 }, (_, n) => ({
        user_id: 7,
        open_id: 'oA',
        form_id: `F${n}`,
        status: n % 3,
        expire: NOW + DAY_MS + (n % 7) * MINUTE_MS,
      })),
    )
    const { allow } = await refuseRows(world.db, 'wx_save_form_id', 'UPDATE', 'OLD.id = 1700')
    await expect(erase(world, 7)).rejects.toThrow()
    await world.expectAuditClean()
    const left = () => world.db('wx_save_form_id').where({ open_id: 'oA' }).pluck('id')
    expect((await left()).length).toBeLessThan(3_000)
    expect((await left()).length).toBeGreaterThan(0)
    expect(await world.db('wx_user').pluck('open_id')).toEqual(['oA'])
    await allow()
    expect(await erase(world, 7)).toMatchObject({ open_ids: 1, complete: true })
    expect(await left()).toEqual([])
    expect(await world.counterOf(7)).toMatchObject({ count: 0 })
  })

  test('ends a call after 20,000 permits, and the next one goes on', { tags: ['long'] }, async () => {
    await bind(world, 'oA', 7)
    await addPermits(
      world.db,
      Array.from({ length: 20_700 }, (_, n) => ({ user_id: 7, open_id: 'oA', form_id: `F${n}` })),
    )
    expect(await erase(world, 7)).toMatchObject({ permits: 20_000, open_ids: 0, complete: false })
    expect(await erase(world, 7)).toMatchObject({ permits: 700, open_ids: 1, complete: true })
  })

  test('beside uploads and a second erasure every permit is erased once, and counters stay exact', async () => {
    await bind(world, 'oA', 7)
    const ingest = createIngest(world.db)
    const { appId } = world.account
    const upload = (n: number) =>
      ingest.upload(
        [
          {
            appId,
            openId: 'oA',
            userId: 7,
            formId: `F${n}`,
            source: 'form',
            page: undefined,
            submittedAt: NOW,
          },
        ],
        NOW,
      )
    await Promise.all([
      ...Array.from({ length: 40 }, (_, n) => upload(n)),
      erase(world, 7),
      erase(world, 7),
      ...Array.from({ length: 40 }, (_, n) => upload(100 + n)),
    ])
    await world.expectAuditClean()
    await erase(world, 7)
    expect(await everything(world)).not.toContain('"oA"')
    expect(await world.counterOf(7)).toMatchObject({ count: 0 })
  })

  test('is not undone by a bring-back of what a refusal had ended', async () => {
    await world.has(user(7).subscriptions(2))
    const refusal = { errcode: 43101, message_id: 5, status: 2 }
    await world.db('wx_save_form_id').update(refusal)
    await world.db('wx_message_push_status').update({ count: 0 })
    await erase(world, 7)
    const ids = (await world.permitsOf(7)).map(({ id }) => id)
    const restored = await world.db.transaction((trx) => restoreVoided(trx, world.account.appId, ids, NOW))
    expect(restored).toBe(0)
    expect(await world.counterOf(7)).toMatchObject({ count: 0 })
  })

  test('knows numbers beyond 2^53', async () => {
    const { appId } = world.account
    const userId = 9_007_199_254_740_993n
    const upload = {
      appId,
      openId: 'oBig',
      userId,
      source: 'form' as const,
      page: undefined,
      submittedAt: NOW,
    }
    await createIngest(world.db).upload([{ ...upload, formId: 'F1' }], NOW)
    const neighbour = { ...upload, openId: 'oNext', userId: Number(userId - 1n) }
    await createIngest(world.db).upload([{ ...neighbour, formId: 'F2' }], NOW)
    const { log } = world.startProcess()
    expect(await eraseUser({ db: world.db, appId, log }, { userId, traceId: 't' }, NOW)).toMatchObject({
      user_id: '9007199254740993',
      open_ids: 1,
      permits: 1,
    })
    expect(await everything(world)).toContain('oNext')
    expect(await everything(world)).not.toContain('oBig')
  })

  test('changes no number of a day: status and forecast are as before, but for the user’s own permits', async () => {
    await world.has(users(7, 9).permits(3).streak(1))
    world.wechat.addFault({ kind: 'errcode', errcode: 43101, times: 1, match: { path: SEND_PATH } })
    await world.startProcess().remind()
    const status = async () => {
      const found = await findRunStatus(world.db, world.account, TODAY, world.clock.now())
      return JSON.parse(JSON.stringify(found, (key, value) => (key === 'sample_rids' ? undefined : value)))
    }
    const tomorrow = async () => {
      const { days } = await forecastNow(world.db, world.account, { days: 2, now: world.clock.now() })
      return days[1]
    }
    const before = await status()
    // One of three was refused, and is not reachable any more.
    expect(await tomorrow()).toMatchObject({ reachable: 2 })
    await erase(world, 7)
    await erase(world, 8)
    expect(await status()).toEqual(before)
    expect(await tomorrow()).toMatchObject({ reachable: 1 })
  })

  test('keeps the template that subscriptions were for', async () => {
    await world.has(user(7).subscriptions(2))
    expect(await erase(world, 7)).toMatchObject({ permits: 2, voided: 2 })
    expect(await world.db('wx_save_form_id').distinct('template_id').pluck('template_id')).toEqual([
      TEMPLATE_ID,
    ])
  })
})
