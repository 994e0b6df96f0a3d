import { beforeEach, describe, expect, test } from 'vitest'
import type { Account } from '../../src/account.js'
import { acceptPush } from '../../src/callbacks/accept.js'
import { checkPush, readPush } from '../../src/callbacks/open.js'
import { type CallbackWorker, createCallbackWorker } from '../../src/callbacks/process.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, OFFICIAL_PATH, SECOND_MS } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { compose, eventMessage, type Sender } from '../helpers/pushes.js'
import { silentLog } from '../helpers/rows.js'
import { openIdOf, user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

const OFFICIAL = { channel: 'official' } as const

/** What WeChat tells of the people of a service account, and of the messages to them. */
describe.each(dialects)('events of a service account on %s', (dialect) => {
  const world = useWorld(dialect)
  const { clock } = world
  const secrets = { appId: world.account.appId, token: 'TokenOfTheTests2026', encodingAesKey: '' }
  const sender: Sender = { ...secrets, mode: 'plain', format: 'xml' }
  let worker: CallbackWorker

  const workerOf = (changes: Partial<Account> = {}) =>
    createCallbackWorker({
      db: world.db,
      account: { ...world.account, ...OFFICIAL, ...changes },
      log: silentLog,
      now: clock.now,
    })
  beforeEach(() => {
    worker = workerOf()
  })

  async function store(name: string, userId: number, item: Record<string, string> = {}): Promise<void> {
    const message = eventMessage(sender, { name, openId: openIdOf(userId), at: clock.now(), items: [item] })
    const push = compose(sender, message, clock.now())
    const opened = readPush(secrets, checkPush(secrets, push.query, push.body))
    await acceptPush(world.db, { appId: secrets.appId, push: opened, traceId: 'trace' }, clock.now())
  }
  async function happens(...event: Parameters<typeof store>): Promise<string | null> {
    await store(...event)
    await worker.workDue()
    return (await world.db('wx_callback_event').orderBy('id', 'desc').first()).outcome
  }
  const remind = () => world.startProcess().remind({ account: OFFICIAL })
  const msgidOf = (userId: number) =>
    world.wechat.ledger().find(({ open_id }) => open_id === openIdOf(userId))?.msgid ?? ''
  const finished = (userId: number, Status: string) =>
    happens('TEMPLATESENDJOBFINISH', userId, { MsgID: msgidOf(userId), Status })
  const messageOf = (userId: number) => world.db('wx_push_message').where({ user_id: userId }).first()

  test.each([
    ['success', 'delivered', 'success', null],
    ['failed:user block', 'blocked', 'failed: user block', 48002],
    ['failed: user block', 'blocked', 'failed: user block', 48002],
    ['failed: system failed', 'failed', 'failed: system failed', null],
    ['failed:freq limit', 'failed', 'failed: freq limit', null],
  ])('the end of a job with %s is written on its message', async (status, outcome, written, stop) => {
    await world.has(users(1, 3).following())
    await remind()
    expect(await finished(2, status)).toBe(outcome)
    expect(await messageOf(2)).toMatchObject({ state: 'delivered', delivery_status: written })
    expect(await messageOf(1)).toMatchObject({ delivery_status: null })
    clock.advance(SECOND_MS)
    expect(await finished(2, status)).toBe('duplicate')
    clock.advance(DAY_MS)
    expect(await remind()).toMatchObject({ delivered: stop === null ? 3 : 2 })
  })

  test('the end of a job settles a message that nobody could ask about in time', async () => {
    await world.has(users(1, 2).following())
    world.wechat.addFault({ kind: 'cut_after', match: { path: OFFICIAL_PATH, open_id: openIdOf(1) } })
    await remind()
    world.wechat.clearFaults()
    clock.advance(HOUR_MS)
    await world.startProcess().recover(OFFICIAL)
    expect(await messageOf(1)).toMatchObject({ state: 'unknown', msgid: null })
    clock.advance(-HOUR_MS + MINUTE_MS)
    expect(await finished(1, 'success')).toBe('delivered')
    expect(await messageOf(1)).toMatchObject({ state: 'delivered', delivery_status: 'success' })
  })

  test('the end of a job waits for the answer that it has overtaken', async () => {
    await world.has(user(1).following())
    world.wechat.addFault({ kind: 'cut_after', match: { path: OFFICIAL_PATH } })
    await remind()
    world.wechat.clearFaults()
    expect(await messageOf(1)).toMatchObject({ state: 'retry' })
    expect(await finished(1, 'success')).toBe('unknown_message')
    clock.advance(6 * MINUTE_MS)
    await world.startProcess().recover(OFFICIAL)
    expect(await messageOf(1)).toMatchObject({ state: 'delivered', delivery_status: null })
    clock.advance(6 * MINUTE_MS)
    await worker.workDue()
    expect(await messageOf(1)).toMatchObject({ state: 'delivered', delivery_status: 'success' })
  })

  test('the end of a job after midnight finds the reminder of the day before', async () => {
    await world.has(user(1).following())
    await remind()
    clock.advance(15 * HOUR_MS)
    expect(await finished(1, 'failed: system failed')).toBe('failed')
  })

  test('the end of a job finds a message without a day', async () => {
    await world.has(user(1).following())
    await remind()
    await world.db('wx_push_message').update({ kind: 'api', business_date: null })
    expect(await finished(1, 'success')).toBe('delivered')
  })

  test('who unfollows is not reminded, and who follows again is', async () => {
    await world.has(users(1, 2).following())
    expect(await happens('unsubscribe', 1)).toBe('blocked')
    expect(await remind()).toMatchObject({ due: 1, delivered: 1 })
    clock.advance(DAY_MS)
    expect(await happens('subscribe', 1)).toBe('unblocked')
    expect(await remind()).toMatchObject({ due: 2, delivered: 2 })
  })

  test('43004 at a send ends with the next subscribe', async () => {
    await world.has(users(1, 2).following())
    world.wechat.unfollow({ openId: openIdOf(1) })
    expect(await remind()).toMatchObject({ delivered: 1, failed: 1 })
    clock.advance(DAY_MS)
    expect(await remind()).toMatchObject({ due: 1 })
    world.wechat.follow({ openId: openIdOf(1) })
    expect(await happens('subscribe', 1)).toBe('unblocked')
    expect(await remind()).toMatchObject({ due: 1, delivered: 1 })
  })

  test('who follows is a user from then on where this service numbers users, and nobody where a backend does', async () => {
    expect(await happens('subscribe', 5)).toBe('ignored')
    world.wechat.follow({ openId: openIdOf(5) })
    expect(await remind()).toMatchObject({ due: 0 })
    worker = workerOf({ userIds: 'auto' })
    clock.advance(MINUTE_MS)
    expect(await happens('subscribe', 5)).toBe('bound')
    expect(await remind()).toMatchObject({ due: 1, delivered: 1 })
  })
})
