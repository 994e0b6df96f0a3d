import { beforeEach, describe, expect, test } from 'vitest'
import type { Account } from '../../src/account.js'
import { acceptPush } from '../../src/callbacks/accept.js'
import { type CallbackSecrets, checkPush, readPush } from '../../src/callbacks/open.js'
import { type CallbackWorker, createCallbackWorker } from '../../src/callbacks/process.js'
import { isDuplicate } from '../../src/db/errors.js'
import { inTransaction } from '../../src/db/transaction.js'
import { createLogger } from '../../src/lib/logger.js'
import { markSending } from '../../src/messages/lease-store.js'
import { traceIdOf } from '../../src/messages/message.js'
import { acceptTap } from '../../src/permits/subscriptions.js'
import { closeRun } from '../../src/runs/occurrences.js'
import { bindUser } from '../../src/users/user-ids.js'
import { claimOne } from '../helpers/claims.js'
import { HOUR_MS, MINUTE_MS, NOW } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { compose, eventMessage, type Sender } from '../helpers/pushes.js'
import { openPool, refuseRows } from '../helpers/rows.js'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { openIdOf } from '../helpers/users.js'
import { DEMO, useWorld } from '../helpers/world.js'

const USER = 7
const OPEN_ID = openIdOf(USER)
const SUBSCRIBE_PATH = '/cgi-bin/message/subscribe/send'

describe.each(dialects)('events of WeChat on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'anything' })
  const account: Account = { ...world.account, channel: 'subscribe', templates: ['weekly-report'] }
  const secrets: CallbackSecrets = {
    appId: account.appId,
    token: 'TokenOfTheTests2026',
    encodingAesKey: 'u8jzPde0IgxLd6GncfBAepfJBd0Kh8oOOL8dKLzdocJ',
  }
  const sender: Sender = { ...secrets, mode: 'safe', format: 'xml' }
  let worker: CallbackWorker

  beforeEach(async () => {
    worker = createWorker()
    await inTransaction(world.db, (trx) => bindUser(trx, account, { openId: OPEN_ID, userId: USER }, NOW))
  })

  const createWorker = (changes: Partial<Account> = {}, db = world.db) =>
    createCallbackWorker({
      db,
      account: { ...account, ...changes },
      log: createLogger({
        level: 'debug',
        secrets: [],
        output: { write: (line) => world.logged.push(line) },
      }),
      now: world.clock.now,
    })

  interface Event {
    name: string
    item?: Record<string, string | number>
    openId?: string
    /** ms after the start. */
    at?: number
  }
  /** Stores an event as the route does, and does no more, as if the process died then. */
  async function store({ name, item = {}, openId = OPEN_ID, at }: Event, db = world.db): Promise<number> {
    const happened = at === undefined ? world.clock.now() : NOW + at
    const message = eventMessage(sender, { name, openId, at: happened, items: [item] })
    const push = compose(sender, message, world.clock.now())
    const opened = readPush(secrets, checkPush(secrets, push.query, push.body))
    return acceptPush(db, { appId: account.appId, push: opened, traceId: 'trace-of-push' }, world.clock.now())
  }
  async function happens(event: Event): Promise<string | null> {
    await store(event)
    await worker.workDue()
    return (await lastEvent()).outcome
  }
  const events = () => world.db('wx_callback_event').orderBy('id')
  const lastEvent = async () => (await events()).at(-1)
  const person = () => world.db('wx_user').where({ open_id: OPEN_ID }).first()
  const count = async () => (await world.counterOf(USER))?.count ?? 0

  const accepted = (at?: number, templateId: string = DEMO.templateId, status = 'accept'): Event => ({
    name: 'subscribe_msg_popup_event',
    item: { TemplateId: templateId, SubscribeStatusString: status, PopupScene: 0 },
    ...(at === undefined ? {} : { at }),
  })
  const turnedOff = (at: number, templateId: string = DEMO.templateId): Event => ({
    name: 'subscribe_msg_change_event',
    item: { TemplateId: templateId, SubscribeStatusString: 'reject' },
    at,
  })
  const sent = (msgid: string, fields: Record<string, string> = {}): Event => ({
    name: 'subscribe_msg_sent_event',
    item: { TemplateId: DEMO.templateId, MsgID: msgid, ErrorCode: '0', ErrorStatus: 'success', ...fields },
  })
  const finished = (msgid: string, status: string): Event => ({
    name: 'TEMPLATESENDJOBFINISH',
    item: { MsgID: msgid, Status: status },
  })
  const clientReports = (at: number) =>
    inTransaction(
      world.db,
      (trx) =>
        acceptTap(
          trx,
          {
            appId: account.appId,
            openId: OPEN_ID,
            userId: USER,
            templateId: DEMO.templateId,
            tappedAt: NOW + at,
            reportId: `tap at ${at}`,
            reporter: 'client',
          },
          world.clock.now(),
        ),
      isDuplicate,
    )

  describe('an accepted popup', () => {
    test.each(['accept', 'acceptWithAudio', 'acceptWithAlert'])(
      'an accepted popup is a permit: %s',
      async (status) => {
        expect(await happens(accepted(0, DEMO.templateId, status))).toBe('granted')
        expect(await count()).toBe(1)
        expect(await world.permitsOf(USER)).toMatchObject([{ status: 0 }])
        await world.expectAuditClean()
      },
    )

    test('an accepted popup and the client’s own report of the same tap are one permit, whichever comes first', async () => {
      await clientReports(300)
      expect(await happens(accepted(0))).toBe('duplicate')
      expect(await happens(accepted(2 * HOUR_MS))).toBe('granted')
      await clientReports(2 * HOUR_MS + 300)
      expect(await count()).toBe(2)
      await world.expectAuditClean()
    })

    test.each(['reject', 'ban', 'filter'])(
      'an accepted popup is no permit if it was answered %s, and ends nothing',
      async (status) => {
        await happens(accepted(0))
        expect(await happens(accepted(1_000, DEMO.templateId, status))).toMatch(/^(refused|ignored)$/)
        expect(await count()).toBe(1)
        expect(await person()).toMatchObject({ opted_out_at: null })
      },
    )

    test('an accepted popup of an open_id that no user is bound to waits until one is', async () => {
      const openId = 'o-stranger'
      await store({ ...accepted(), openId })
      await worker.workDue()
      expect(await lastEvent()).toMatchObject({ state: 'waiting', outcome: 'no_user' })
      world.clock.advance(MINUTE_MS)
      await worker.workDue()
      expect(await lastEvent()).toMatchObject({ state: 'waiting', outcome: 'no_user' })
      await inTransaction(world.db, (trx) =>
        bindUser(trx, account, { openId, userId: 99 }, world.clock.now()),
      )
      world.clock.advance(2 * MINUTE_MS)
      expect(await worker.workDue()).toBe(1)
      expect(await lastEvent()).toMatchObject({ state: 'done', outcome: 'granted' })
      expect(await world.counterOf(99)).toMatchObject({ count: 1 })
    })

    test('an accepted popup of an open_id that no user was bound to is worked off as soon as a backend says who it is', async () => {
      const openId = 'o-stranger'
      await store({ ...accepted(), openId })
      await worker.workDue()
      await inTransaction(world.db, (trx) =>
        bindUser(trx, account, { openId, userId: 99 }, world.clock.now()),
      )
      await worker.userBound(openId)
      await eventually('the permit', async () => (await lastEvent())?.outcome === 'granted')
      expect(await world.counterOf(99)).toMatchObject({ count: 1 })
    })

    test('an accepted popup is given a user id of its own where ids are allotted here', async () => {
      await store({ ...accepted(), openId: 'o-new' })
      expect(await createWorker({ userIds: 'auto' }).workDue()).toBe(1)
      const row = await world.db('wx_user').where({ open_id: 'o-new' }).first()
      expect(await world.counterOf(row.user_id)).toMatchObject({ count: 1 })
    })
  })

  describe('a template that is turned off', () => {
    test('voids what was accepted of it until then, and opts out of reminders', async () => {
      await happens(accepted(0))
      await happens(accepted(MINUTE_MS))
      await happens(accepted(2 * MINUTE_MS, 'weekly-report'))
      expect(await happens(turnedOff(3 * MINUTE_MS))).toBe('opted_out')
      expect(await count()).toBe(1)
      expect((await world.permitsOf(USER)).map(({ status }) => status)).toEqual([2, 2, 0])
      expect(await person()).toMatchObject({ opted_out_at: NOW + 3 * MINUTE_MS, stop_errcode: 43101 })
      await world.expectAuditClean()
    })

    test('a template that is turned off is no opt-out if it is not the reminder’s', async () => {
      await happens(accepted(0, 'weekly-report'))
      expect(await happens(turnedOff(MINUTE_MS, 'weekly-report'))).toBe('voided')
      expect(await count()).toBe(0)
      expect(await person()).toMatchObject({ opted_out_at: null })
    })

    test('a template that the account no longer uses is voided too', async () => {
      await happens(accepted(0, 'weekly-report'))
      await store(turnedOff(MINUTE_MS, 'weekly-report'))
      await createWorker({ templates: [] }).workDue()
      expect(await lastEvent()).toMatchObject({ outcome: 'voided' })
      expect(await count()).toBe(0)
    })

    test('events of a template that the account does not use are ignored, and say so', async () => {
      expect(await happens(accepted(0, 'old'))).toBe('unknown_template')
      expect(await happens(turnedOff(MINUTE_MS, 'old'))).toBe('unknown_template')
      expect(await world.permitsOf(USER)).toEqual([])
      for (const channel of ['form_id', 'official'] as const) {
        await store(accepted(channel === 'official' ? 2 * MINUTE_MS : 3 * MINUTE_MS))
        await createWorker({ channel, templates: [] }).workDue()
        expect(await lastEvent()).toMatchObject({ state: 'done', outcome: 'unknown_template' })
      }
    })

    test('a template that is turned off and accepted again later is on again, in whatever order the events come', async () => {
      const story = [accepted(0), turnedOff(MINUTE_MS), accepted(2 * MINUTE_MS)]
      const orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
      ]
      for (const order of orders) {
        await world.db('wx_save_form_id').delete()
        await world.db('wx_message_push_status').delete()
        await world.db('wx_callback_event').delete()
        await world.db('wx_user').update({ opted_out_at: null, stop_errcode: null })
        for (const n of order) {
          const event = story[n]
          if (event) await happens(event)
        }
        expect({ order, count: await count(), ...(await person()) }).toMatchObject({
          order,
          count: 1,
          opted_out_at: null,
        })
        await world.expectAuditClean()
      }
    })

    test('a template that is turned off does not take back a later refusal', async () => {
      await happens(turnedOff(2 * MINUTE_MS))
      await happens(turnedOff(MINUTE_MS))
      expect(await person()).toMatchObject({ opted_out_at: NOW + 2 * MINUTE_MS })
      expect(await happens(accepted(MINUTE_MS + 30_000))).toBe('outdated')
      expect(await count()).toBe(0)
    })
  })

  describe('the report of a delivery', () => {
    beforeEach(async () => {
      world.wechat.grantSubscription({ openId: OPEN_ID, templateId: DEMO.templateId })
      await clientReports(0)
    })
    const remind = () => world.startProcess().remind({ account: { channel: 'subscribe' } })
    const message = async () => (await world.db('wx_push_message').orderBy('id')).at(-1)
    const msgidAtWechat = () => world.wechat.ledger().at(-1)?.msgid ?? ''

    test('the report of a delivery is written on the message with its msgid, with the message’s trace id in the log', async () => {
      await remind()
      expect(await happens(sent(msgidAtWechat()))).toBe('delivered')
      const { state, delivery_status, id } = await message()
      expect({ state, delivery_status }).toEqual({ state: 'delivered', delivery_status: 'success' })
      const line = world.logged
        .map((each) => JSON.parse(each))
        .find(({ event }) => event === 'callback.applied')
      expect(line).toMatchObject({ trace_id: traceIdOf(id), message_id: id, outcome: 'delivered' })
      expect(line.open_id).not.toBe(OPEN_ID)
    })

    test('the report of a delivery of a failure after the acceptance is written, and the message stays as WeChat answered', async () => {
      await remind()
      expect(await happens(sent(msgidAtWechat(), { ErrorCode: '20009', ErrorStatus: 'system' }))).toBe(
        'failed',
      )
      expect(await message()).toMatchObject({ state: 'delivered', delivery_status: 'failed: system (20009)' })
      await world.expectAuditClean()
    })

    test.each([
      ['delivered', {}, 'success'],
      ['failed', { ErrorCode: '1', ErrorStatus: 'failed' }, 'failed: (1)'],
    ] as const)('settles a message whose answer was lost: %s', async (state, fields, delivery_status) => {
      world.wechat.addFault({ kind: 'cut_after', match: { path: SUBSCRIBE_PATH } })
      expect(await remind()).toMatchObject({ unknown: 1 })
      expect(await message()).toMatchObject({ state: 'unknown', msgid: null })
      const msgid = msgidAtWechat()
      expect(await happens(sent(msgid, fields))).toBe(state)
      expect(await message()).toMatchObject({ state, delivery_status, msgid })
      await world.expectAuditClean()
    })

    test.each([
      ['delivered', 'success', '0'],
      ['failed', 'failed: user block', '1'],
    ] as const)(
      'settles an unknown message as %s, in the totals of its run too',
      async (state, text, code) => {
        world.wechat.addFault({ kind: 'cut_after', times: 1, match: { path: SUBSCRIBE_PATH } })
        await remind()
        const ending = { state: 'window_closed', reason: null } as const
        await closeRun(world.db, (await world.runs())[0]?.id ?? 0, ending, world.clock.now())
        const totals = () => world.db('wx_job_run').first('delivered', 'failed', 'unknown', 'due')
        expect(await totals()).toEqual({ delivered: 0, failed: 0, unknown: 1, due: 1 })
        await happens(sent('4711', { ErrorCode: code, ErrorStatus: text }))
        expect(await message()).toMatchObject({ state })
        expect(await totals()).toEqual({ delivered: 0, failed: 0, unknown: 0, due: 1, [state]: 1 })
        await happens(sent('4711', { ErrorCode: code, ErrorStatus: text }))
        expect(await totals()).toMatchObject({ unknown: 0, [state]: 1 })
        await world.expectAuditClean()
      },
    )

    test('the report of a delivery that comes before our own settle waits for it', async () => {
      const delivery = { ...(await claimOne({ ...world, account })) }
      await markSending(world.db, [delivery])
      await world.startProcess().send(delivery)
      const msgid = msgidAtWechat()
      expect(await happens(sent(msgid))).toBe('unknown_message')
      expect(await message()).toMatchObject({ state: 'sending', delivery_status: null })
      await world.db('wx_push_message').update({ state: 'delivered', msgid })
      world.clock.advance(5_000)
      await worker.workDue()
      expect(await lastEvent()).toMatchObject({ outcome: 'delivered' })
      expect(await message()).toMatchObject({ state: 'delivered', delivery_status: 'success' })
    })

    test('waits for the takeover, if the process that sent the message has died', async () => {
      const delivery = await claimOne({ ...world, account })
      await markSending(world.db, [delivery])
      await world.startProcess().send(delivery)
      expect(await happens(sent(msgidAtWechat()))).toBe('unknown_message')
      world.clock.advance(HOUR_MS)
      await worker.workDue()
      expect(await lastEvent()).toMatchObject({ state: 'waiting' })
      await world.lapseLeases()
      await world.startProcess().recover({ channel: 'subscribe' })
      expect(await message()).toMatchObject({ state: 'unknown' })
      world.clock.advance(2 * HOUR_MS)
      await worker.workDue()
      expect(await lastEvent()).toMatchObject({ outcome: 'delivered' })
      expect(await message()).toMatchObject({ state: 'delivered', delivery_status: 'success' })
    })

    test('the report of a delivery of a message that is not ours is given up after ten minutes', async () => {
      expect(await happens(sent('4100000000000009999'))).toBe('unknown_message')
      expect(await lastEvent()).toMatchObject({ state: 'waiting' })
      world.clock.advance(10 * MINUTE_MS)
      await worker.workDue()
      expect(await lastEvent()).toMatchObject({ state: 'done', outcome: 'unknown_message' })
    })

    test('the report of a delivery of another person, template or time settles no message that is unknown', async () => {
      world.wechat.addFault({ kind: 'cut_after', match: { path: SUBSCRIBE_PATH } })
      await remind()
      await store({ ...sent('4100000000000000901'), openId: 'o-another' })
      await store(sent('4100000000000000902', { TemplateId: 'another' }))
      await store({ ...sent('4100000000000000903'), at: -3 * MINUTE_MS })
      await store({ ...sent('4100000000000000904'), at: 11 * MINUTE_MS })
      await worker.workDue()
      expect((await events()).map(({ outcome }) => outcome)).toEqual(Array(4).fill('unknown_message'))
      expect(await message()).toMatchObject({ state: 'unknown', delivery_status: null })
    })

    test('that one of several messages in doubt can be about settles none of them', async () => {
      world.wechat.grantSubscription({ openId: OPEN_ID, templateId: DEMO.templateId })
      await clientReports(1_000)
      world.wechat.addFault({ kind: 'cut_after', times: 1, match: { path: SUBSCRIBE_PATH } })
      expect(await remind()).toMatchObject({ unknown: 1 })
      world.wechat.addFault({ kind: 'cut_before', times: 1, match: { path: SUBSCRIBE_PATH } })
      await submitTo(world, [USER], { account })
      expect(await sendSubmitted(world, world.startProcess(), account)).toMatchObject({ unknown: 1 })
      expect(world.wechat.ledger()).toHaveLength(1)
      expect(await happens(sent(msgidAtWechat()))).toBe('unknown_message')
      world.clock.advance(10 * MINUTE_MS)
      await worker.workDue()
      expect(await lastEvent()).toMatchObject({ state: 'done', outcome: 'unknown_message' })
      expect(await world.messages()).toMatchObject([{ state: 'unknown' }, { state: 'unknown' }])
    })

    test('stands: what comes later for the same message changes nothing', async () => {
      await remind()
      const msgid = msgidAtWechat()
      await happens(sent(msgid))
      const late = { ...sent(msgid, { ErrorCode: '1', ErrorStatus: 'late' }), at: -1_000 }
      expect(await happens(late)).toBe('duplicate')
      expect(await message()).toMatchObject({ state: 'delivered', delivery_status: 'success' })
    })

    test.each([
      ['success', 'delivered', 'success', null],
      ['failed:user block', 'blocked', 'failed: user block', 48002],
      ['failed: system failed', 'failed', 'failed: system failed', null],
      ['failed:freq limit ', 'failed', 'failed: freq limit', null],
    ])('of a service account: %s', async (status, outcome, delivery_status, stop_errcode) => {
      await remind()
      await world.db('wx_card').update({ channel: 'official' })
      await world.db('wx_push_message').update({ open_id: OPEN_ID })
      expect(await happens(finished(msgidAtWechat(), status))).toBe(outcome)
      expect(await message()).toMatchObject({ state: 'delivered', delivery_status })
      expect(await person()).toMatchObject({
        stop_errcode,
        blocked_at: stop_errcode === null ? null : expect.any(Number),
      })
    })
  })

  describe('following a service account', () => {
    test('ends with unsubscribe, and comes back with subscribe', async () => {
      expect(await happens({ name: 'unsubscribe', at: 0 })).toBe('blocked')
      expect(await person()).toMatchObject({ blocked_at: NOW, stop_errcode: 43004, user_id: USER })
      expect(await happens({ name: 'subscribe', at: 1_000 })).toBe('unblocked')
      expect(await person()).toMatchObject({ blocked_at: null, stop_errcode: null })
    })

    test('goes by the newest event, not by the last that came', async () => {
      await happens({ name: 'subscribe', at: 5_000 })
      expect(await happens({ name: 'unsubscribe', at: 0 })).toBe('outdated')
      expect(await person()).toMatchObject({ blocked_at: null })
      await happens({ name: 'unsubscribe', at: 9_000 })
      expect(await happens({ name: 'subscribe', at: 7_000 })).toBe('outdated')
      expect(await person()).toMatchObject({ blocked_at: NOW + 9_000 })
    })

    test('goes by the order of arrival within one second', async () => {
      await store({ name: 'unsubscribe', at: 0 })
      await store({ name: 'subscribe', at: 0 })
      await worker.workDue()
      expect((await events()).map(({ outcome }) => outcome)).toEqual(['outdated', 'ignored'])
      expect(await person()).toMatchObject({ blocked_at: null })
    })

    test('again does not lift a block of another kind', async () => {
      await world.db('wx_user').update({ blocked_at: 1, stop_errcode: 43019 })
      expect(await happens({ name: 'subscribe', at: 0 })).toBe('ignored')
      expect(await person()).toMatchObject({ blocked_at: 1, stop_errcode: 43019 })
    })
  })

  test('the same event pushed twenty times at once is one row and one effect', async () => {
    const event = accepted()
    const stored = await Promise.all(Array.from({ length: 20 }, () => store(event)))
    expect(stored.reduce((a, b) => a + b)).toBe(1)
    await worker.workDue()
    expect(await events()).toHaveLength(1)
    expect(await count()).toBe(1)
  })

  test('several processes at once apply each event once', async () => {
    for (let n = 0; n < 30; n++) await store(accepted(n * 20 * MINUTE_MS))
    const pools = Array.from({ length: 3 }, () => openPool(world.database))
    try {
      const ended = await Promise.all(pools.map((pool) => createWorker({}, pool).workDue()))
      await worker.workDue()
      expect((await events()).every(({ outcome }) => outcome === 'granted')).toBe(true)
      expect(ended.reduce((a, b) => a + b)).toBeLessThanOrEqual(30)
      expect(await count()).toBe(30)
      await world.expectAuditClean()
    } finally {
      await Promise.all(pools.map((pool) => pool.destroy()))
    }
  })

  test('what was stored when a process died is worked off by the next one', async () => {
    await store(accepted())
    expect(await count()).toBe(0)
    expect(await createWorker().workDue()).toBe(1)
    expect(await count()).toBe(1)
    expect(await createWorker().workDue()).toBe(0)
  })

  test('an effect whose end cannot be written is undone, stands in nobody’s way, and is tried again', async () => {
    await store(accepted(0))
    await store(accepted(1_000, 'weekly-report'))
    const refused = await refuseRows(
      world.db,
      'wx_callback_event',
      'UPDATE',
      `NEW.outcome = 'granted' AND NEW.template_id = '${DEMO.templateId}'`,
    )
    try {
      await worker.workDue()
    } finally {
      await refused.allow()
    }
    expect(await events()).toMatchObject([
      { state: 'waiting', outcome: 'error' },
      { state: 'done', outcome: 'granted' },
    ])
    expect(await count()).toBe(1)
    world.clock.advance(10 * MINUTE_MS)
    await worker.workDue()
    expect(await count()).toBe(2)
    await world.expectAuditClean()
  })

  test('woken while it works, the worker looks again', async () => {
    await store(accepted(0))
    const first = worker.workDue()
    await store(accepted(1_000))
    worker.wake()
    await first
    await worker.workDue()
    expect(await count()).toBe(2)
    await worker.stop()
    await store(accepted(2_000))
    expect(await worker.workDue()).toBe(0)
  })
})
