import { describe, expect, test } from 'vitest'
import type { Account } from '../../src/account.js'
import { execute } from '../../src/db/sql.js'
import { inTransaction } from '../../src/db/transaction.js'
import { addDays, businessDate } from '../../src/lib/business-date.js'
import { markSending } from '../../src/messages/lease-store.js'
import { createIngest } from '../../src/permits/ingest.js'
import { reportSubscription } from '../../src/permits/report-subscription.js'
import { recordMissedDays } from '../../src/reminders/due.js'
import { type Explanation, explainUser } from '../../src/reminders/explain.js'
import type { Outcome } from '../../src/reminders/explain-verdict.js'
import { openRun } from '../../src/runs/occurrences.js'
import { recordSignIn } from '../../src/sign-ins/sign-in.js'
import { liftAll, recordWish } from '../../src/users/stop-store.js'
import { claimAll, openTodaysRun } from '../helpers/claims.js'
import {
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  NOW,
  SECOND_MS,
  SEND_PATH,
  TEMPLATE_ID,
  TODAY,
} from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { openIdOf, user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

const TOMORROW = addDays(TODAY, 1)
const ON_SEND = { match: { path: SEND_PATH } }
const SUBSCRIBE = { channel: 'subscribe' } as const

describe.each(dialects)('explain on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'anything' })
  const { db, clock } = world

  function explain(
    userId: number | bigint,
    date = TODAY,
    changes: Partial<Account> = {},
  ): Promise<Explanation> {
    return explainUser(db, { ...world.account, retentionDays: 90, ...changes }, userId, date, clock.now())
  }

  /** The answer now, and that the first check that is not ok is the one of the outcome. */
  async function expectOutcome(
    userId: number,
    outcome: Outcome,
    { date = TODAY, says = [], ...changes }: { date?: number; says?: string[] } & Partial<Account> = {},
  ): Promise<Explanation> {
    const explanation = await explain(userId, date, changes)
    expect({ outcome: explanation.outcome, sentence: explanation.sentence }).toMatchObject({ outcome })
    for (const part of says) {
      expect(explanation.sentence).toContain(part)
      expect(explanation.sentence_zh).toContain(part)
    }
    const failed = explanation.checks.findIndex(({ ok }) => !ok)
    expect(failed === -1).toBe(outcome === 'will_be_reminded')
    expect(JSON.stringify(explanation)).not.toContain(openIdOf(userId))
    return explanation
  }

  /** The same answer on that day and three days later. */
  async function expectThenAndLater(userId: number, outcome: Outcome, says: string[] = []): Promise<void> {
    await expectOutcome(userId, outcome, { says })
    clock.advance(3 * DAY_MS)
    await expectOutcome(userId, outcome, { says })
    clock.advance(-3 * DAY_MS)
  }

  const atTime = (time: string): void => clock.set(Date.parse(`2026-11-20T${time}+08:00`))
  const run = (changes: Parameters<ReturnType<typeof world.startProcess>['remind']>[0] = {}) =>
    world.startProcess().remind(changes)
  const optOut = (userId: number) =>
    inTransaction(db, (trx) => recordWish(trx, { appId: world.account.appId, userId }, clock.now()))
  const bringBack = (userId: number) =>
    inTransaction(db, (trx) => liftAll(trx, { appId: world.account.appId, userId }, clock.now()))
  const signIn = (userId: number, day = TODAY) =>
    recordSignIn(db, { appId: world.account.appId, userId, day }, clock.now())

  let tap = 0
  async function subscribe(userId: number, templateId: string): Promise<void> {
    const openId = openIdOf(userId)
    world.wechat.grantSubscription({ openId, templateId })
    const of = { appId: world.account.appId, openId, userId, templateId }
    await reportSubscription(
      db,
      { ...of, result: 'accept', tapId: `tap-${++tap}`, tappedAt: undefined },
      clock.now(),
    )
  }

  describe('today, before the run', () => {
    test('will_be_reminded names the run and the permit', async () => {
      await world.has(
        user(1)
          .permitFor(30 * HOUR_MS)
          .permitFor(40 * HOUR_MS),
      )
      atTime('09:00:00')
      const { checks } = await expectOutcome(1, 'will_be_reminded', {
        says: ['2026-11-20', '2026-11-20 10:00:00', '2026-11-21 16:00:00', 'Asia/Shanghai'],
      })
      expect(checks.every(({ ok }) => ok)).toBe(true)
      clock.set(NOW)
      await run()
      await expectThenAndLater(1, 'reminded', ['2026-11-20 10:00:00'])
    })

    test('a permit that lasts until the firing, but not the margin longer, is no_valid_permit', async () => {
      await world.has(user(1).permitFor(MINUTE_MS), user(2).permitFor(MINUTE_MS + 1))
      atTime('09:00:00')
      await expectOutcome(1, 'no_valid_permit', { says: ['2026-11-20 10:01:00'] })
      await expectOutcome(2, 'will_be_reminded')
      clock.set(NOW)
      await run()
      expect(world.reminded()).toEqual([2])
      await expectThenAndLater(1, 'no_valid_permit', ['2026-11-20 10:01:00'])
    })

    test('signed_in, opted_out and blocked name the time', async () => {
      await world.has(
        user(1).permits(2).signedInToday(),
        user(2).permits(2).optedOut(),
        user(3).permits(2).blocked(),
      )
      await expectOutcome(1, 'signed_in', { says: ['2026-11-20 09:00:00'] })
      await expectOutcome(2, 'opted_out', { says: ['2026-11-20 09:00:00', 'bring-back --user'] })
      await expectOutcome(3, 'blocked', { says: ['2026-11-20 09:00:00'] })
      await run()
      await expectThenAndLater(1, 'signed_in')
      await expectThenAndLater(2, 'opted_out')
      await expectThenAndLater(3, 'blocked')
    })

    test('permits come before stops, and stops before the sign-in, as in the counts of a run', async () => {
      await world.has(user(1).optedOut().signedInToday(), user(2).permits(1).optedOut().signedInToday())
      await expectOutcome(1, 'no_permit')
      await expectOutcome(2, 'opted_out')
    })

    test('one stopped open_id of several stops the user', async () => {
      await world.has(user(1).permits(2))
      await db('wx_user').insert([
        { app_id: world.account.appId, open_id: 'oFine', user_id: 1, created_at: 1, updated_at: 1 },
        {
          app_id: world.account.appId,
          open_id: 'oBlocked',
          user_id: 1,
          blocked_at: NOW - 5,
          created_at: 1,
          updated_at: 1,
        },
      ])
      await expectOutcome(1, 'blocked')
    })

    test('no_permit of a user whom only a login or a binding has told of', async () => {
      await world.has(user(1))
      await db('wx_user').insert({
        app_id: world.account.appId,
        open_id: 'oSeen',
        user_id: 2,
        created_at: 1,
        updated_at: 1,
      })
      await expectOutcome(1, 'no_permit')
      await expectOutcome(2, 'no_permit')
    })

    test('not_known of a number that nobody has seen, on any day', async () => {
      for (const date of [addDays(TODAY, -3), TODAY, TOMORROW])
        await expectOutcome(404, 'not_known', { date, says: ['WX_APP_ID'] })
    })

    test('a counter that is wrong is what a claim goes by, and the sentence says so', async () => {
      await world.has(user(1).permits(2))
      await db('wx_message_push_status').update({ count: 0 })
      await expectOutcome(1, 'no_permit', { says: ['audit --fix'] })
      await run()
      expect(world.reminded()).toEqual([])
    })

    test('last_date set by hand counts as reminded', async () => {
      await world.has(
        user(1).permits(2).lastReminded(TODAY),
        user(2).permits(2).lastReminded(addDays(TODAY, 40)),
      )
      await expectOutcome(1, 'reminded', { says: ['last_date', '2026-11-20'] })
      await expectOutcome(2, 'reminded', { says: ['2026-12-30'] })
      await expectOutcome(2, 'reminded', { date: TOMORROW })
      await expectOutcome(2, 'no_valid_permit', { date: addDays(TODAY, 41) })
    })

    test('a payment is held back for ten seconds', async () => {
      clock.set(NOW - 4 * SECOND_MS)
      const openId = openIdOf(1)
      const formId = world.wechat.issuePrepayId({ openId })
      const payment = { appId: world.account.appId, openId, userId: 1, formId, source: 'pay' as const }
      await createIngest(db).upload([{ ...payment, page: undefined, submittedAt: undefined }], clock.now())
      await expectOutcome(1, 'no_valid_permit', { says: ['2026-11-20 10:00:06'] })
      await expectOutcome(1, 'will_be_reminded', { date: TOMORROW })
    })
  })

  describe('the channel subscribe', () => {
    test('wrong_template names both templates', async () => {
      await subscribe(1, 'weekly-report')
      await subscribe(2, TEMPLATE_ID)
      await expectOutcome(1, 'wrong_template', { ...SUBSCRIBE, says: ['weekly-report', TEMPLATE_ID] })
      await expectOutcome(2, 'will_be_reminded', SUBSCRIBE)
      await run({ account: SUBSCRIBE })
      await expectOutcome(1, 'wrong_template', SUBSCRIBE)
      clock.advance(2 * DAY_MS)
      // What the run was sent with, whatever the settings say by now.
      await expectOutcome(1, 'wrong_template', { channel: 'form_id' })
      await expectOutcome(2, 'reminded', SUBSCRIBE)
    })

    test('a permit of another channel is wrong_template as well, and names the channel', async () => {
      await world.has(user(1).permits(2))
      await subscribe(2, TEMPLATE_ID)
      await expectOutcome(1, 'wrong_template', { ...SUBSCRIBE, says: ['subscribe', 'WX_CHANNEL'] })
      await expectOutcome(2, 'wrong_template', { says: ['form_id'] })
    })

    test('a subscription does not run out', async () => {
      await subscribe(1, TEMPLATE_ID)
      await expectOutcome(1, 'will_be_reminded', {
        ...SUBSCRIBE,
      })
      await expectOutcome(1, 'no_permit', { ...SUBSCRIBE, date: addDays(TODAY, 30) })
    })
  })

  describe('while the run is at work', () => {
    test('a user before its cursors will be reminded, one in hand is being_sent', async () => {
      await world.has(users(1, 2).permits(1))
      const [first] = await claimAll(world)
      if (first) await markSending(db, [first])
      await expectOutcome(1, 'being_sent')
      await user3()
      await expectOutcome(3, 'will_be_reminded')
      async function user3(): Promise<void> {
        await execute(db, 'UPDATE wx_job_cursor SET cur = 2 WHERE hi > 2')
        await world.has(user(3).permits(1))
      }
    })

    test('a user behind its cursors who was not due is told why, and what has changed', async () => {
      await openTodaysRun(world)
      await execute(db, 'UPDATE wx_job_cursor SET cur = hi')
      clock.advance(MINUTE_MS)
      await upload(1)
      await expectOutcome(1, 'no_permit', { says: ['2026-11-21 10:00:00'] })
    })

    test('a later firing of the same day looks again', async () => {
      await openTodaysRun(world)
      await execute(db, 'UPDATE wx_job_cursor SET cur = hi')
      await upload(1)
      await expectOutcome(1, 'will_be_reminded', {
        remindCron: '0 10,18 * * *',
        says: ['2026-11-20 18:00:00'],
      })
    })
  })

  async function upload(userId: number): Promise<void> {
    const openId = openIdOf(userId)
    const formId = world.wechat.issueFormId({ openId })
    const form = { appId: world.account.appId, openId, userId, formId, source: 'form' as const }
    await createIngest(db).upload([{ ...form, page: undefined, submittedAt: undefined }], clock.now())
  }

  describe('after the run', () => {
    test('failed names the code and its meaning', async () => {
      await world.has(users(1, 2).permits(1))
      const [permit] = await world.permitsOf(1)
      world.wechat.addFault({ kind: 'errcode', errcode: 40003, match: { form_id: permit?.form_id ?? '' } })
      await run()
      await expectThenAndLater(1, 'failed', ['40003 invalid_openid'])
      await expectThenAndLater(2, 'reminded')
    })

    test('unknown', async () => {
      await world.has(users(1, 2).permits(1))
      await claimAll(world)
      await execute(db, "UPDATE wx_push_message SET state = 'unknown', settled_at = ? WHERE user_id = 1", [
        NOW,
      ])
      await expectThenAndLater(1, 'unknown', ['2026-11-20 10:00:00'])
    })

    test('a permit that came after the run, a sign-in and an opt-out after it change nothing', async () => {
      await world.has(user(1), user(2).permits(1))
      await run()
      clock.advance(HOUR_MS)
      await upload(1)
      await signIn(1)
      await optOut(1)
      await expectThenAndLater(1, 'no_permit', ['2026-11-20 10:00:00'])
    })

    test('an opt-out that has been lifted since is remembered', async () => {
      await world.has(user(1).permits(3))
      await db('wx_user').insert({
        app_id: world.account.appId,
        open_id: openIdOf(1),
        user_id: 1,
        created_at: 1,
        updated_at: 1,
      })
      clock.set(NOW - HOUR_MS)
      await optOut(1)
      clock.set(NOW)
      await run()
      clock.advance(HOUR_MS)
      await bringBack(1)
      await expectOutcome(1, 'opted_out', {
        says: ['2026-11-20 09:00:00', '2026-11-20 11:00:00', '`remind`'],
      })
      await expectThenAndLater(1, 'opted_out', ['2026-11-20 09:00:00'])
      await expectOutcome(1, 'will_be_reminded', { date: TOMORROW })
    })

    test('run_halted names the reason in both languages, and whom remind would reach', async () => {
      await world.has(users(1, 5).permits(2))
      clock.advance(MINUTE_MS)
      world.wechat.addFault({ kind: 'errcode', errcode: 40037, ...ON_SEND })
      await run()
      for (const userId of [1, 5])
        await expectThenAndLater(userId, 'run_halted', ['40037', 'REMINDER_TEMPLATE_ID'])
      const { sentence, sentence_zh } = await explain(5)
      expect(sentence).toContain('`remind`, started by hand now, reaches the user')
      expect(sentence).toContain('Set right what the reason names')
      expect(sentence_zh).not.toContain('No such template')
      world.wechat.clearFaults()
      clock.advance(MINUTE_MS)
      await run()
      await expectThenAndLater(5, 'reminded')
    })

    test('run_paused at a spent quota', async () => {
      await world.has(users(1, 30).permits(2))
      world.wechat.configure({ dailyQuotas: { [SEND_PATH]: 5 } })
      await run()
      await expectThenAndLater(30, 'run_paused', ['45009'])
    })

    test('not_reached at the limit', async () => {
      await world.has(users(1, 3).permits(2))
      await run({ limit: 1 })
      await expectThenAndLater(1, 'reminded')
      await expectThenAndLater(3, 'not_reached', ['--limit'])
    })

    test('run_missed', async () => {
      await world.has(users(1, 2).permits(6))
      await run()
      clock.advance(2 * DAY_MS)
      await expectOutcome(1, 'run_missed', { date: TOMORROW, says: ['2026-11-21 10:00:00'] })
      await recordMissedDays(db, world.account, clock.now())
      await expectOutcome(1, 'run_missed', { date: TOMORROW, says: ['2026-11-21 10:00:00'] })
      await expectOutcome(404, 'not_known', { date: TOMORROW })
    })

    test('today, run_missed once the window has closed without a run', async () => {
      await world.has(user(1).permits(2))
      await expectOutcome(1, 'will_be_reminded')
      atTime('22:00:00')
      await expectOutcome(1, 'run_missed')
    })

    test('window_closed', async () => {
      await world.has(user(1).permits(2))
      await openTodaysRun(world)
      atTime('22:00:00')
      await expectOutcome(1, 'window_closed', { says: ['2026-11-20 22:00:00', 'SEND_UNTIL'] })
      await run()
      await expectThenAndLater(1, 'window_closed', ['2026-11-20 22:00:00'])
    })

    test('not_reached on a day without a firing, and without a template', async () => {
      await world.has(user(1).permits(3))
      await expectOutcome(1, 'not_reached', { remindCron: '0 10 1 * *', says: ['REMIND_CRON'] })
      await expectOutcome(1, 'not_reached', {
        date: TOMORROW,
        remindCron: '0 10 20 * *',
        says: ['REMIND_CRON'],
      })
      await expectOutcome(1, 'not_reached', { templateId: '', says: ['REMINDER_TEMPLATE_ID'] })
      await expectOutcome(1, 'not_reached', {
        date: TOMORROW,
        templateId: '',
        says: ['REMINDER_TEMPLATE_ID'],
      })
      await expectOutcome(1, 'run_missed', { date: TOMORROW, remindCron: '0 23 * * *', says: ['SEND_UNTIL'] })
    })
  })

  describe('a day of which nothing is on record', () => {
    test('not_known before the first run and beyond the retention, unless last_date tells', async () => {
      await world.has(user(1).permits(3), user(2).permits(1).lastReminded(addDays(TODAY, -200)))
      await run()
      await expectOutcome(1, 'not_known', { date: addDays(TODAY, -1), says: ['2026-11-20'] })
      await expectOutcome(1, 'not_known', { date: addDays(TODAY, -200), says: ['RETENTION_DAYS'] })
      clock.advance(200 * DAY_MS)
      await execute(db, 'DELETE FROM wx_push_message')
      await expectOutcome(1, 'reminded')
    })
  })

  describe('a day to come', () => {
    test('each day before it spends the oldest permit that is valid then', async () => {
      // Runs out before tomorrow's firing, before that of the day after, and much later.
      await world.has(
        user(1)
          .permitFor(20 * HOUR_MS)
          .permitFor(45 * HOUR_MS)
          .permitFor(140 * HOUR_MS),
      )
      const outcomes = []
      for (let days = 0; days < 5; days++) outcomes.push((await explain(1, addDays(TODAY, days))).outcome)
      expect(outcomes).toEqual([
        'will_be_reminded',
        'will_be_reminded',
        'will_be_reminded',
        'no_permit',
        'no_permit',
      ])
      // Today's is not spent if the user has signed in, and then runs out.
      await signIn(1)
      expect((await explain(1, TOMORROW)).outcome).toBe('will_be_reminded')
      expect((await explain(1, addDays(TODAY, 3))).outcome).toBe('no_valid_permit')
    })

    test('a day too far ahead is refused', async () => {
      await expect(explain(1, addDays(TODAY, 367))).rejects.toMatchObject({
        code: 'invalid_request',
        details: { field: 'date' },
      })
    })
  })

  test('keeps a large user id exact', async () => {
    const userId = 2n ** 63n - 1n
    await execute(db, 'INSERT INTO wx_message_push_status (app_id, user_id, count) VALUES (?, ?, 0)', [
      world.account.appId,
      userId,
    ])
    expect(await explain(userId)).toMatchObject({ user_id: '9223372036854775807', outcome: 'no_permit' })
  })

  test('writes nothing', async () => {
    await world.has(users(1, 3).permits(2))
    await openRun(
      db,
      { job: 'remind', appId: world.account.appId, slot: TODAY },
      { triggeredBy: 'cron', state: 'running' },
      NOW,
    )
    const before = await world.books()
    for (const date of [addDays(TODAY, -1), TODAY, TOMORROW]) await explain(1, date)
    expect(await world.books()).toEqual(before)
    expect(businessDate(clock.now(), world.account.timezone)).toBe(TODAY)
  })
})
