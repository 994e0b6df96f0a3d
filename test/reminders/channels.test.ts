import { describe, expect, test } from 'vitest'
import { PAY_HOLD_MS } from '../../src/books/index.js'
import { isDuplicate } from '../../src/db/errors.js'
import { execute } from '../../src/db/sql.js'
import { inTransaction } from '../../src/db/transaction.js'
import { businessDate } from '../../src/lib/business-date.js'
import { markSending } from '../../src/messages/lease-store.js'
import { settleBatch } from '../../src/messages/settle.js'
import { emptyTally } from '../../src/messages/tally.js'
import { findBalance } from '../../src/permits/find-balance.js'
import { createIngest } from '../../src/permits/ingest.js'
import { acceptTap } from '../../src/permits/subscriptions.js'
import { explainUser } from '../../src/reminders/explain.js'
import { planRun } from '../../src/reminders/plan.js'
import { findForecast } from '../../src/summaries/forecast.js'
import { claimAll, claimOne } from '../helpers/claims.js'
import { DAY_MS, MINUTE_MS, SUBSCRIBE_PATH, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { openIdOf, user, users } from '../helpers/users.js'
import { DEMO, useWorld } from '../helpers/world.js'

const SUBSCRIBE = { channel: 'subscribe' } as const

describe.each(dialects)('permits and channels on %s', (dialect) => {
  const world = useWorld(dialect)

  let taps = 0
  /** A tap that WeChat has a credit for, reported by the client. */
  async function subscribe(userId: number, templateId = DEMO.templateId): Promise<void> {
    const openId = openIdOf(userId)
    const { db, clock, account, wechat } = world
    wechat.grantSubscription({ openId, templateId })
    const tap = {
      appId: account.appId,
      openId,
      userId,
      templateId,
      tappedAt: clock.now(),
      reportId: `tap ${++taps}`,
      reporter: 'client',
    } as const
    await inTransaction(db, (trx) => acceptTap(trx, tap, clock.now()), isDuplicate)
  }

  async function pay(userId: number): Promise<string> {
    const openId = openIdOf(userId)
    const formId = world.wechat.issuePrepayId({ openId })
    const payment = {
      appId: world.account.appId,
      openId,
      userId,
      formId,
      source: 'pay',
      page: undefined,
      submittedAt: undefined,
    } as const
    await createIngest(world.db).upload([payment], world.clock.now())
    return formId
  }

  test('a run of subscribe messages spends accepted subscriptions and leaves form_ids alone', async () => {
    await world.has(users(1, 3).permits(2))
    await subscribe(1)
    await subscribe(2)
    await subscribe(4)
    const report = await world.startProcess().remind({ account: SUBSCRIBE })
    expect(report).toMatchObject({ state: 'done', due: 3, delivered: 3 })
    expect(world.wechat.ledger().map(({ channel }) => channel)).toEqual(Array(3).fill('subscribe'))
    expect(world.reminded().sort()).toEqual([1, 2, 4])
    expect(await world.counterOf(1)).toMatchObject({ count: 2 })
    expect(await world.counterOf(4)).toMatchObject({ count: 0 })
    for (const message of await world.messages()) {
      expect(message).toMatchObject({
        channel: 'subscribe',
        state: 'delivered',
        msgid: expect.stringMatching(/^\d{19}$/),
      })
    }
  })

  test('a run of form_id messages leaves accepted subscriptions alone', async () => {
    await subscribe(1)
    await world.has(user(2).permits(1))
    expect(await world.startProcess().remind()).toMatchObject({ due: 1, delivered: 1 })
    expect(world.reminded()).toEqual([2])
    expect(await world.counterOf(1)).toMatchObject({ count: 1 })
  })

  test('a subscription of another template reminds nobody, and the plan says why', async () => {
    await subscribe(1, 'weekly-report')
    await subscribe(2)
    const plan = await planRun(world.db, { ...world.account, ...SUBSCRIBE }, TODAY, world.clock.now())
    expect(plan).toMatchObject({ due: 1, skipped: { no_valid_permit: 1 }, sample: [{ user_id: 2 }] })
    await world.startProcess().remind({ account: SUBSCRIBE })
    expect(world.reminded()).toEqual([2])
  })

  test('the subscription that was accepted first goes first, a day each', async () => {
    await subscribe(1)
    await subscribe(1)
    for (const left of [1, 0]) {
      await world.startProcess().remind({ account: SUBSCRIBE })
      world.clock.advance(DAY_MS)
      expect(await world.counterOf(1)).toMatchObject({ count: left })
    }
    const [first, second] = await world.permitsOf(1)
    expect((await world.messages()).map(({ permit_id }) => permit_id)).toEqual([first?.id, second?.id])
  })

  test('a subscribe message whose answer is lost becomes unknown, and is never sent again', async () => {
    await subscribe(1)
    world.wechat.addFault({ kind: 'cut_after', match: { path: SUBSCRIBE_PATH } })
    const process = world.startProcess()
    expect(await process.remind({ account: SUBSCRIBE })).toMatchObject({ unknown: 1, delivered: 0 })
    world.wechat.clearFaults()
    world.clock.advance(60 * MINUTE_MS)
    expect(await process.recover(SUBSCRIBE)).toEqual(emptyTally())
    expect(await process.remind({ account: SUBSCRIBE })).toMatchObject({ due: 0, delivered: 0 })
    expect(world.wechat.ledger()).toHaveLength(1)
    expect(await world.messages()).toMatchObject([{ state: 'unknown', maybe_sent: 1 }])
  })

  test('a refused subscriber is not reminded again until the next accepted tap', async () => {
    await subscribe(1)
    await subscribe(1)
    world.wechat.addFault({ kind: 'errcode', errcode: 43101, times: 1, match: { path: SUBSCRIBE_PATH } })
    const remind = () => world.startProcess().remind({ account: SUBSCRIBE })
    expect(await remind()).toMatchObject({ failed: 1 })
    expect(await world.counterOf(1)).toMatchObject({ count: 0 })
    world.clock.advance(DAY_MS)
    expect(await remind()).toMatchObject({ due: 0 })
    world.clock.advance(MINUTE_MS)
    await subscribe(1)
    expect(await world.counterOf(1)).toMatchObject({ count: 1 })
    expect(await remind()).toMatchObject({ due: 1, delivered: 1 })
  })

  test('a refusal voids what the person accepted of that template, and nothing else of anybody', async () => {
    for (const template of [DEMO.templateId, 'weekly'])
      for (const id of [1, 1, 2]) await subscribe(id, template)
    world.wechat.addFault({ kind: 'errcode', errcode: 43101, times: 1, match: { path: SUBSCRIBE_PATH } })
    expect(await world.startProcess().remind({ account: SUBSCRIBE })).toMatchObject({
      failed: 1,
      delivered: 1,
    })
    const refused = world.reminded()[0] === 1 ? 2 : 1
    expect(
      (await world.permitsOf(refused)).map(({ template_id, status, errcode }) => [
        template_id,
        status,
        errcode,
      ]),
    ).toEqual([
      [DEMO.templateId, 1, null],
      ...(refused === 1
        ? [
            [DEMO.templateId, 2, 43101],
            ['weekly', 0, null],
          ]
        : []),
      ['weekly', 0, null],
    ])
    const other = await world.permitsOf(3 - refused)
    expect(other.filter(({ status }) => status === 2)).toEqual([])
    expect(await world.db('wx_user').whereNotNull('opted_out_at')).toMatchObject([
      { user_id: refused, stop_errcode: 43101, stop_template_id: DEMO.templateId },
    ])
    await world.expectAuditClean()
  })

  test('who refused one template is reminded by the next, once the account uses that', async () => {
    const before = { ...SUBSCRIBE, templateId: 'weekly' }
    await subscribe(1)
    await subscribe(1, 'weekly')
    world.wechat.addFault({ kind: 'errcode', errcode: 43101, times: 1, match: { path: SUBSCRIBE_PATH } })
    expect(await world.startProcess().remind({ account: before })).toMatchObject({ failed: 1 })
    world.clock.advance(DAY_MS)
    const now = world.clock.now()
    const account = { ...world.account, ...SUBSCRIBE, retentionDays: 90 }
    const today = businessDate(now, account.timezone)
    expect(await planRun(world.db, { ...account, ...before }, today, now)).toMatchObject({ due: 0 })
    expect(await planRun(world.db, account, today, now)).toMatchObject({ due: 1, skipped: { stopped: 0 } })
    expect(await findForecast(world.db, account, { days: 1 }, now)).toMatchObject({
      days: [{ reachable: 1 }],
    })
    expect(await findBalance(world.db, account, 1, now)).toMatchObject({ permits: 1, reason: 'few_left' })
    expect(await explainUser(world.db, account, 1, today, now)).toMatchObject({ outcome: 'will_be_reminded' })
    expect(await world.startProcess().remind({ account: SUBSCRIBE })).toMatchObject({ due: 1, delivered: 1 })
  })

  test('what is in hand or waits for a retry at a switch keeps its channel, and nobody is reminded twice', async () => {
    await world.has(users(1, 2).permits(1).subscriptions(1))
    const [inHand, waiting] = await claimAll(world)
    if (!inHand || !waiting) throw new Error('Two were due')
    const answer = { errcode: null, errmsg: null, rid: null, msgid: null }
    const verdict = { kind: 'retry', afterMs: 100, maybeSent: false } as const
    await settleBatch(world.db, [{ message: waiting, verdict, answer, attempted: true }], world.clock.now())
    await world.lapseLeases()
    world.clock.advance(MINUTE_MS)
    const process = world.startProcess()
    expect(await process.recover(SUBSCRIBE)).toMatchObject({ delivered: 2 })
    expect(world.wechat.ledger().map(({ channel }) => channel)).toEqual(['form_id', 'form_id'])
    expect(await process.remind({ account: SUBSCRIBE })).toMatchObject({ due: 0, delivered: 0 })
    world.clock.advance(DAY_MS)
    expect(await process.remind({ account: SUBSCRIBE })).toMatchObject({ delivered: 2 })
  })

  test('a payment is held back for ten seconds, and then good for three days', async () => {
    await pay(1)
    const remind = () => world.startProcess().remind()
    expect(await remind()).toMatchObject({ due: 0 })
    world.clock.advance(PAY_HOLD_MS - 1)
    expect(await remind()).toMatchObject({ due: 0 })
    world.clock.advance(1)
    for (let day = 0; day < 3; day++) {
      expect(await remind()).toMatchObject({ delivered: 1 })
      world.clock.advance(DAY_MS)
    }
    expect(await remind()).toMatchObject({ due: 0 })
    expect(await world.counterOf(1)).toMatchObject({ count: 0 })
  })

  test('a message on a payment whose answer is lost is not repeated: its prepay_id would deliver it twice', async () => {
    await pay(1)
    world.clock.advance(PAY_HOLD_MS)
    world.wechat.addFault({
      kind: 'cut_after',
      times: 1,
      match: { path: '/cgi-bin/message/wxopen/template/send' },
    })
    const process = world.startProcess()
    expect(await process.remind()).toMatchObject({ unknown: 1 })
    world.clock.advance(MINUTE_MS)
    await process.recover()
    expect(world.wechat.ledger()).toHaveLength(1)
  })

  test('a message on a payment whose process died while its request could leave is not repeated either', async () => {
    await pay(1)
    world.clock.advance(PAY_HOLD_MS)
    expect(await markSending(world.db, [await claimOne(world)])).toEqual([true])
    await world.lapseLeases()
    expect(await world.startProcess().recover()).toEqual({ ...emptyTally(), unknown: 1 })
    expect(world.sends()).toBe(0)
  })

  test('a message on a payment whose process died before is sent', async () => {
    await pay(1)
    world.clock.advance(PAY_HOLD_MS)
    await claimOne(world)
    await world.lapseLeases()
    expect(await world.startProcess().recover()).toEqual({ ...emptyTally(), delivered: 1 })
  })

  test('a service account’s message is repeated within its ten minutes, and delivered once', async () => {
    await world.has(user(1).permits(1))
    const claimed = await claimOne(world)
    await execute(world.db, "UPDATE wx_card SET channel = 'official'")
    world.wechat.follow({ openId: claimed.openId })
    const process = world.startProcess()
    // It dies between WeChat's acceptance and our write.
    expect(await process.send({ ...claimed, channel: 'official' })).toMatchObject({ kind: 'accepted' })
    await world.lapseLeases()
    world.clock.advance(9 * MINUTE_MS - 1)
    expect(await process.recover()).toEqual({ ...emptyTally(), delivered: 1 })
    expect(world.wechat.ledger()).toMatchObject([{ channel: 'official', open_id: claimed.openId }])
  })
})
