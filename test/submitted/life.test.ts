import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Account } from '../../src/account.js'
import { NEVER_EXPIRES } from '../../src/books/index.js'
import { execute, selectRows } from '../../src/db/sql.js'
import { takeOver } from '../../src/messages/recovery.js'
import { purgeOld } from '../../src/retention/purge.js'
import { cancelMessage } from '../../src/submitted/cancel.js'
import { requeueMany } from '../../src/submitted/requeue-many.js'
import { findMessage, listMessages } from '../../src/submitted/status.js'
import { eraseUser } from '../../src/user-data/erase.js'
import {
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  OFFICIAL_PATH,
  SEND_PATH,
  SUBSCRIBE_PATH,
  TEMPLATE_ID,
} from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { addPermits, refuseRows, silentLog } from '../helpers/rows.js'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

const FINAL = ['delivered', 'failed', 'unknown', 'cancelled', 'no_permit', 'expired', 'dead']

describe.each(dialects)('the life of a submitted message on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'clean books' })
  const { db } = world
  const appId = () => world.account.appId
  const never = new AbortController().signal
  const find = (id = 0) => findMessage(db, appId(), id)

  test.each(['wx_submission', 'wx_push_message', 'wx_submitted_message', 'wx_message_retry'])(
    'a request that breaks off at %s stores nothing, and is taken when it comes again',
    async (table) => {
      await world.has(user(1).permits(2))
      const refused = await refuseRows(db, table, 'INSERT', '1 = 1')
      await expect(submitTo(world, [1], { key: 'again' })).rejects.toThrow()
      expect(await world.counterOf(1)).toMatchObject({ count: 2 })
      await refused.allow()
      const [message] = await submitTo(world, [1], { key: 'again' })
      expect(await submitTo(world, [1], { key: 'again' })).toEqual([message])
      expect(await world.messages()).toHaveLength(1)
      expect(await world.counterOf(1)).toMatchObject({ count: 1 })
    },
  )

  test('what a dead process had in hand is taken over with the same permit, its attempt on record', async () => {
    await world.has(users(1, 2).permits(2))
    const [sent, unsent] = await submitTo(world, [1, 2])
    const limits = { kind: 'api', limit: 10, leaseMs: 15_000, now: world.clock.now() } as const
    expect((await takeOver(db, world.account, limits)).messages).toHaveLength(2)
    expect((await find(sent?.id)).state).toBe('sending')
    await execute(db, "UPDATE wx_push_message SET state = 'sending' WHERE id = ?", [sent?.id ?? 0])
    await expect(cancelMessage(db, appId(), sent?.id ?? 0, world.clock.now())).rejects.toMatchObject({
      code: 'message_sent',
    })
    await world.lapseLeases()
    expect(await sendSubmitted(world, world.startProcess())).toMatchObject({ delivered: 2 })
    expect((await find(sent?.id)).attempts.map(({ outcome }) => outcome)).toEqual(['interrupted', 'accepted'])
    expect((await find(unsent?.id)).attempts.map(({ outcome }) => outcome)).toEqual(['accepted'])
  })

  test('one that was being cancelled when its process died waits for its time, and can be cancelled again', async () => {
    await world.has(users(1, 3).permits(1))
    const notBefore = world.clock.now() + HOUR_MS
    const [waiting, cancelled] = await submitTo(world, [1, 2], { not_before: notBefore })
    const [due] = await submitTo(world, [3])
    const refused = await refuseRows(db, 'wx_submitted_message', 'UPDATE', '1 = 1')
    for (const message of [waiting, cancelled, due])
      await expect(cancelMessage(db, appId(), message?.id ?? 0, world.clock.now())).rejects.toThrow()
    await refused.allow()
    await expect(cancelMessage(db, appId(), cancelled?.id ?? 0, world.clock.now())).rejects.toMatchObject({
      code: 'overloaded',
    })
    await world.lapseLeases()
    const process = world.startProcess()
    expect(await sendSubmitted(world, process)).toMatchObject({ delivered: 1 })
    expect((await find(due?.id)).state).toBe('delivered')
    expect(await find(waiting?.id)).toMatchObject({ state: 'queued', attempts: [] })
    expect(await db('wx_claim')).toEqual([])
    expect(await cancelMessage(db, appId(), cancelled?.id ?? 0, world.clock.now())).toMatchObject({
      state: 'cancelled',
    })
    world.clock.set(notBefore)
    expect(await sendSubmitted(world, process)).toMatchObject({ delivered: 1 })
    expect((await find(waiting?.id)).state).toBe('delivered')
    expect(await world.counterOf(2)).toMatchObject({ count: 1 })
  })

  test('a doubt is resolved by the permit on form_id, and left as unknown on subscribe', async () => {
    await world.has(user(1).permits(1), user(2).subscriptions(1))
    const process = world.startProcess()
    world.wechat.addFault({ kind: 'cut_after', match: { path: SEND_PATH }, times: 1 })
    const [onForm] = await submitTo(world, [1])
    await sendSubmitted(world, process)
    world.clock.set(world.clock.now() + MINUTE_MS)
    await sendSubmitted(world, process)
    expect(await find(onForm?.id)).toMatchObject({
      state: 'delivered',
      attempts: [{ outcome: 'ambiguous' }, { outcome: 'refused', answer: { errcode: 41029 } }],
    })

    const account = { channel: 'subscribe' } as const
    world.wechat.addFault({ kind: 'cut_after', match: { path: SUBSCRIBE_PATH }, times: 1 })
    const [bySubscription] = await submitTo(world, [2], { account })
    await sendSubmitted(world, process, account)
    expect(await find(bySubscription?.id)).toMatchObject({
      state: 'unknown',
      attempts: [{ outcome: 'ambiguous' }],
    })
  })

  test('on subscribe it spends a permit of its own template', async () => {
    const [other] = await addPermits(db, [
      { user_id: 1, expire: NEVER_EXPIRES, form_id: 'other' },
      { user_id: 1, expire: NEVER_EXPIRES, form_id: 'own' },
    ])
    await execute(db, "UPDATE wx_save_form_id SET source = 'subscribe', template_id = form_id")
    const account = { channel: 'subscribe', templates: ['own', 'none'] } as const
    const changes = { account: { ...account, templates: [...account.templates] } }
    const [own] = await submitTo(world, [1], { ...changes, template_id: 'own' })
    const [none] = await submitTo(world, [1], { ...changes, template_id: 'none' })
    expect([own?.state, none?.state]).toEqual(['queued', 'no_permit'])
    const permits = await world.permitsOf(1)
    expect(permits.filter(({ status }) => status === 0).map(({ form_id }) => form_id)).toEqual([
      other?.form_id,
    ])
  })

  test('on a service account it needs no permit, and an attempt in doubt is repeated without a second delivery', async () => {
    await world.has(user(1).following(), user(2).permits(1))
    const account = { channel: 'official' } as const
    const [message] = await submitTo(world, [1], { account })
    await expect(submitTo(world, [2], { account })).rejects.toMatchObject({ code: 'user_not_bound' })
    expect(message?.state).toBe('queued')
    world.wechat.addFault({ kind: 'cut_after', match: { path: OFFICIAL_PATH }, times: 1 })
    const process = world.startProcess()
    // It is sent long after it was submitted: WeChat's window for doubles begins with the first request.
    world.clock.set(world.clock.now() + HOUR_MS)
    await sendSubmitted(world, process, account)
    world.clock.set(world.clock.now() + MINUTE_MS)
    await sendSubmitted(world, process, account)
    expect(await find(message?.id)).toMatchObject({ state: 'delivered', permit_id: null })
    expect(world.wechat.ledger()).toHaveLength(1)
  })

  test('on a service account it names a web address, or a page of the mini-program that the account has', async () => {
    await world.has(user(1).following())
    const submitPage = (page: string, account: Partial<Account>) =>
      submitTo(world, [1], { page, account: { channel: 'official', ...account } })
    const miniprogram = { appid: 'wx0123456789abcdef', pagepath: '' }
    await expect(submitPage('pages/parcel/index', {})).rejects.toMatchObject({
      code: 'invalid_request',
      details: { field: 'items.0.page' },
    })
    expect(await submitPage('https://shop.example/8', {})).toMatchObject([{ state: 'queued' }])
    expect(await submitPage('pages/parcel/index', { miniprogram })).toMatchObject([{ state: 'queued' }])
  })

  test('of a mini-program it names a page: a web address would be refused by WeChat', async () => {
    await world.has(user(1).permits(1))
    for (const channel of ['form_id', 'subscribe'] as const)
      await expect(
        submitTo(world, [1], { page: 'https://shop.example/8', account: { channel } }),
      ).rejects.toMatchObject({
        code: 'invalid_request',
        message: expect.stringContaining('pages/parcel/index'),
        details: { field: 'items.0.page' },
      })
    expect(await submitTo(world, [1], { page: 'pages/parcel/index?id=8' })).toMatchObject([
      { state: 'queued' },
    ])
  })

  test('it is cancelled when its user opts out while it waits', async () => {
    await world.has(user(1).permits(1))
    const [message] = await submitTo(world, [1])
    const person = [appId(), 'oPerson', 1, 5, 1, 1]
    await execute(
      db,
      'INSERT INTO wx_user (app_id, open_id, user_id, opted_out_at, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)',
      person,
    )
    await sendSubmitted(world, world.startProcess())
    expect(await find(message?.id)).toMatchObject({ state: 'cancelled', attempts: [] })
    expect(await world.counterOf(1)).toMatchObject({ count: 1 })
  })

  test('an erasure withdraws it while it waits, and takes what it says', async () => {
    await world.has(users(1, 2).permits(2))
    const [waiting] = await submitTo(world, [1], { page: 'pages/sign-in/index' })
    await sendSubmitted(world, world.startProcess())
    const [queued] = await submitTo(world, [1])
    const deps = { db, appId: appId(), log: silentLog }
    const erasure = await eraseUser(deps, { userId: 1, traceId: 't' }, world.clock.now())
    expect(erasure.complete).toBe(true)
    for (const id of [waiting?.id, queued?.id]) expect(await find(id)).toMatchObject({ data: {}, page: '' })
    expect((await find(queued?.id)).state).toBe('cancelled')
  })

  test('the purge deletes it with its attempts, and the keys of requests after a day', async () => {
    await world.has(users(1, 2).permits(1))
    await submitTo(world, [1])
    await sendSubmitted(world, world.startProcess())
    const rows = async () => {
      const tables = ['wx_push_message', 'wx_submitted_message', 'wx_message_attempt', 'wx_submission']
      const counts: number[] = []
      for (const table of tables)
        counts.push((await selectRows<{ n: number }>(db, `SELECT COUNT(*) AS n FROM ${table}`))[0]?.n ?? -1)
      return counts
    }
    const purge = (days: number) =>
      purgeOld(
        { db, log: silentLog, signal: never },
        { ...world.account, retentionDays: 30 },
        world.clock.now() + days * DAY_MS,
      )
    await purge(2)
    expect(await rows()).toEqual([1, 1, 1, 0])
    await purge(40)
    expect(await rows()).toEqual([0, 0, 0, 0])
  })

  test('a list goes through all messages page by page, of one state, user or template', async () => {
    await world.has(users(1, 7).permits(1))
    await submitTo(world, [1, 2, 3, 4, 5, 6, 7, 8, 9])
    const all: number[] = []
    for (let before: number | undefined; ; ) {
      const page = await listMessages(db, appId(), { limit: 2, before })
      all.push(...page.items.map(({ user_id }) => Number(user_id)))
      if (page.next === null) break
      before = Number(page.next)
    }
    expect(all).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1])
    const states = async (state: 'queued' | 'no_permit' | 'dead') =>
      (await listMessages(db, appId(), { state, limit: 100 })).items.length
    expect([await states('queued'), await states('no_permit'), await states('dead')]).toEqual([7, 2, 0])
    const ofUser = await listMessages(db, appId(), {
      userId: 3,
      state: 'queued',
      templateId: TEMPLATE_ID,
      limit: 9,
    })
    expect(ofUser.items).toHaveLength(1)
  })
})

/** What may happen to submitted messages, in any order. */
const EVENT = fc.oneof(
  fc.record({ kind: fc.constant('submit' as const), user: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant('send' as const) }),
  fc.record({ kind: fc.constant('die' as const) }),
  fc.record({ kind: fc.constant('cancel' as const), nth: fc.nat(9) }),
  fc.record({ kind: fc.constant('requeue' as const) }),
  fc.record({ kind: fc.constant('wait' as const), minutes: fc.integer({ min: 1, max: 300 }) }),
  fc.record({
    kind: fc.constant('fault' as const),
    // Not 45011: a run waits out the minute, and the clock stands.
    errcode: fc.constantFrom(-1, 41028, 43101, 47003, 40037, 99_999),
  }),
  fc.record({ kind: fc.constant('cut' as const) }),
  fc.record({ kind: fc.constant('remind' as const) }),
)

describe.each(dialects)('any life of submitted messages on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'clean books' })

  /** Each message arrived at most once, and those that arrived are known to have, or may have. */
  async function expectEachOnce(): Promise<void> {
    const rows = await selectRows<{ form_id: string; id: number; state: string; maybe_sent: number }>(
      world.db,
      `SELECT f.form_id, m.id, m.state, m.maybe_sent FROM wx_save_form_id f
       JOIN wx_push_message m ON m.id = f.message_id`,
    )
    const messages = new Map(rows.map((row) => [row.form_id, row]))
    const arrived = world.wechat.ledger().map(({ form_id }) => messages.get(form_id ?? ''))
    const ids = arrived.map((message) => message?.id)
    expect(ids).toEqual([...new Set(ids)])
    for (const message of arrived)
      expect(message?.state === 'delivered' || message?.maybe_sent === 1, JSON.stringify(message)).toBe(true)
    const delivered = rows.filter(({ state }) => state === 'delivered').map(({ id }) => id)
    expect(ids).toEqual(expect.arrayContaining([...new Set(delivered)]))
  }

  test('keeps the books, delivers nothing twice, and ends', { tags: ['long'] }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(EVENT, { maxLength: 25 }), async (events) => {
        await world.reset()
        await world.has(users(1, 4).permits(4))
        const process = world.startProcess({ concurrency: 4 })
        const ids: number[] = []
        const limits = { kind: 'api', limit: 2, leaseMs: 15_000 } as const
        for (const event of events) {
          const now = world.clock.now()
          if (event.kind === 'submit') {
            const asked = submitTo(world, [event.user], { not_after: now + 6 * HOUR_MS })
            // WeChat may have said that the user wants no messages.
            const [message] = await asked.catch((error: Error & { code?: string }) => {
              if (error.code === 'user_stopped') return []
              throw error
            })
            if (message) ids.push(message.id)
          }
          if (event.kind === 'send') await sendSubmitted(world, process)
          if (event.kind === 'die') {
            await takeOver(world.db, world.account, { ...limits, now })
            await world.lapseLeases()
          }
          if (event.kind === 'cancel')
            await cancelMessage(world.db, world.account.appId, ids[event.nth] ?? 0, now).catch(() => {})
          if (event.kind === 'requeue') {
            const options = { notAfter: now + HOUR_MS, signal: new AbortController().signal, now: () => now }
            await requeueMany(world.db, world.account, { all: true }, options)
          }
          if (event.kind === 'wait') world.clock.set(now + event.minutes * MINUTE_MS)
          const match = { path: SEND_PATH }
          if (event.kind === 'fault')
            world.wechat.addFault({ kind: 'errcode', errcode: event.errcode, match, times: 2 })
          if (event.kind === 'cut') world.wechat.addFault({ kind: 'cut_after', match, times: 1 })
          if (event.kind === 'remind') {
            // Its first reminder, once in doubt, is repeated before any other goes out.
            world.clock.run(1_000)
            await process.remind()
            world.clock.run(0)
          }
          await world.expectAuditClean()
        }
        world.wechat.clearFaults()
        for (let i = 0; i < 8; i++) {
          await sendSubmitted(world, process)
          world.clock.set(world.clock.now() + HOUR_MS)
        }
        await process.recover()
        for (const id of ids)
          expect(FINAL).toContain((await findMessage(world.db, world.account.appId, id)).state)
        await expectEachOnce()
      }),
      { numRuns: dialect === 'sqlite' ? 25 : 8 },
    )
  })
})
