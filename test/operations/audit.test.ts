import { describe, expect, test } from 'vitest'
import { isSqlite, selectRows } from '../../src/db/sql.js'
import { type AuditReport, audit } from '../../src/operations/audit.js'
import { expireStale } from '../../src/permits/expire.js'
import { createIngest } from '../../src/permits/ingest.js'
import { cancelMessage } from '../../src/submitted/cancel.js'
import { requeueMessage } from '../../src/submitted/requeue.js'
import { rebindUser } from '../../src/users/rebind.js'
import { claimAll, claimOne } from '../helpers/claims.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, SEND_PATH } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { silentLog } from '../helpers/rows.js'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { openIdOf, user, users } from '../helpers/users.js'
import { letWait } from '../helpers/waits.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)('the audit on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'anything' })
  const { db } = world

  /**
   * The rows that each check names; a check that finds none is left out. They are those of the one account, and of no
   * other.
   */
  const found = async () => {
    const report = await audit(db, world.clock.now(), false)
    const ofAccount = (appId: string) => audit(db, world.clock.now(), false, appId)
    expect(await ofAccount(world.account.appId)).toEqual(report)
    expect(await ofAccount('wxOther')).toMatchObject({ ok: true })
    const failed = report.checks.filter(({ violations }) => violations.length > 0)
    expect(report.ok).toBe(failed.length === 0)
    expect(failed.every(({ ok }) => !ok)).toBe(true)
    return Object.fromEntries(failed.map(({ name, violations }) => [name, violations]))
  }
  const remind = () => world.startProcess().remind()
  const sweep = () =>
    expireStale(
      { db, log: silentLog, signal: new AbortController().signal },
      { appId: world.account.appId, slot: world.clock.now(), triggeredBy: 'manual' },
      world.clock.now(),
    )
  const upload = (userId: number, submittedAt: number) => {
    const openId = openIdOf(userId)
    const formId = world.wechat.issueFormId({ openId, at: submittedAt })
    const { appId } = world.account
    return createIngest(db).upload(
      [{ appId, openId, userId, formId, source: 'form' as const, page: undefined, submittedAt }],
      world.clock.now(),
    )
  }
  /** Five users with two permits each, who were all reminded: their older ones are spent. */
  const remindedUsers = async () => {
    await world.has(users(1, 5).permits(2))
    expect(await remind()).toMatchObject({ state: 'done', delivered: 5 })
    return world.messages()
  }
  const nth = <T>(rows: T[], index: number): T => {
    const row = rows.at(index)
    if (row === undefined) throw new Error(`There are ${rows.length} rows`)
    return row
  }

  test('says ok to each check of an empty database and of one after a run', async () => {
    expect((await audit(db, 0, false)).checks.map(({ name, ok }) => [name, ok])).toEqual([
      ['counter_is_exact', true],
      ['one_reminder_per_day', true],
      ['oldest_permit_first', true],
      ['spent_permit_has_message', true],
      ['message_has_permit', true],
      ['permit_goes_to_its_giver', true],
      ['totals_of_ended_runs', true],
      ['outcomes_are_those_of_messages', true],
      ['open_message_will_go_on', true],
      ['submitted_message_ended_as_it_says', true],
      ['last_date_is_past', true],
    ])
    await remindedUsers()
    expect(await found()).toEqual({})
  })

  test('names the users whose counter is wrong, and who have none', async () => {
    const { appId } = world.account
    await remindedUsers()
    await db('wx_message_push_status').where({ user_id: 2 }).update({ count: 7 })
    await db('wx_message_push_status').where({ user_id: 3 }).update({ count: 0 })
    await db('wx_message_push_status').where({ user_id: 4 }).delete()
    const { counter_is_exact, ...others } = await found()
    expect(others).toEqual({})
    expect(counter_is_exact).toHaveLength(3)
    expect(counter_is_exact).toEqual(
      expect.arrayContaining([
        { app_id: appId, user_id: 2, count: 7, permits: 1 },
        { app_id: appId, user_id: 3, count: 0, permits: 1 },
        { app_id: appId, user_id: 4, count: null, permits: 1 },
      ]),
    )
  })

  test('the audit with fix recounts those, and leaves what it cannot know', async () => {
    const messages = await remindedUsers()
    await db('wx_message_push_status').where('user_id', '<', 3).update({ count: 7 })
    await db('wx_message_push_status').where({ user_id: 4 }).delete()
    await db('wx_push_message')
      .where({ id: nth(messages, 4).id })
      .delete()
    const report = await audit(db, world.clock.now(), true)
    expect(report).toMatchObject({ fixed: 3, ok: false })
    expect(Object.keys(await found())).toEqual(['spent_permit_has_message'])
    expect(await world.counterOf(4)).toMatchObject({ count: 1 })
  })

  test('with fix mends the rows of the account that is named, and leaves those of others', async () => {
    const { appId } = world.account
    await remindedUsers()
    await submitTo(world, [1])
    await db('wx_message_retry').delete()
    await db('wx_submitted_message').update({ state: 'failed' })
    await db('wx_run_outcome').delete()
    await db('wx_message_push_status').where('user_id', '<', 3).update({ count: 7 })
    await db('wx_message_push_status').where({ user_id: 4 }).update({ last_date: 20991231 })
    const before = await found()
    expect(Object.keys(before)).toHaveLength(5)
    const fixed = ({ ok, checks: _, ...counts }: AuditReport) => ({ ok, counts: Object.values(counts) })
    expect(fixed(await audit(db, world.clock.now(), true, 'wxOther'))).toEqual({
      ok: true,
      counts: [0, 0, 0, 0, 0],
    })
    expect(await found()).toEqual(before)
    expect(fixed(await audit(db, world.clock.now(), true, appId))).toEqual({
      ok: true,
      counts: [2, 1, 1, 1, 1],
    })
  })

  test('names what is left of a submitted message whose row is gone, and with fix takes it away', async () => {
    const { appId } = world.account
    await world.has(user(1).permits(2))
    const [kept, gone] = [...(await submitTo(world, [1])), ...(await submitTo(world, [1]))].map(
      ({ id }) => id,
    )
    if (gone === undefined) throw new Error('nothing was submitted')
    await db('wx_push_message').where({ id: gone }).delete()
    await db('wx_save_form_id').where({ message_id: gone }).update({ status: 0, message_id: 0 })
    expect((await found()).submitted_message_ended_as_it_says).toEqual([
      { message_id: gone, app_id: appId, submitted: 'open', state: null },
    ])
    expect(await audit(db, world.clock.now(), true)).toMatchObject({ fixed: 1, fixed_ends: 1, ok: true })
    expect(await db('wx_submitted_message').pluck('message_id')).toEqual([kept])
  })

  test('names users whose last_date is in the future, and with fix reminds them again', async () => {
    const { appId } = world.account
    await world.has(users(1, 2).permits(2))
    expect(await remind()).toMatchObject({ delivered: 2 })
    await world.has(users(3, 3).permits(1))
    const today = (await world.counterOf(1))?.last_date
    await db('wx_message_push_status').where('user_id', '>', 1).update({ last_date: 20991231 })
    expect((await found()).last_date_is_past).toEqual([
      { app_id: appId, user_id: 2, last_date: 20991231 },
      { app_id: appId, user_id: 3, last_date: 20991231 },
    ])
    world.clock.advance(3 * DAY_MS)
    expect(await audit(db, world.clock.now(), true)).toMatchObject({ ok: true, fixed: 0, fixed_dates: 2 })
    // The day of the reminder on record; today for the one who may have been reminded by another program.
    expect(await world.counterOf(2)).toMatchObject({ last_date: today })
    expect(await world.counterOf(3)).toMatchObject({ last_date: Number(today) + 3 })
    expect(await found()).toEqual({})
  })

  /** A message as its row is, without its id. */
  async function copyOf(id: number) {
    const { id: _, ...copy } = await db('wx_push_message').where({ id }).first()
    return copy
  }

  test('names messages that nobody would take over, and with fix has them taken over', async () => {
    await world.has(users(1, 4).permits(1))
    const [sending, waiting, ...held] = await claimAll(world)
    await letWait(db, `id = ${waiting?.id}`, world.clock.now())
    expect(await found()).toEqual({})
    await db('wx_claim').delete()
    await db('wx_message_retry').delete()
    const stranded = (await found()).open_message_will_go_on
    expect(stranded?.length).toBe(4)
    expect(stranded).toContainEqual({
      message_id: sending?.id,
      app_id: world.account.appId,
      kind: 'reminder',
      state: 'sending',
    })
    expect(stranded).toContainEqual({
      message_id: waiting?.id,
      app_id: world.account.appId,
      kind: 'reminder',
      state: 'retry',
    })
    expect(held.length).toBe(2)
    expect(await world.startProcess().recover()).toMatchObject({ delivered: 0 })
    expect(await audit(db, world.clock.now(), true)).toMatchObject({ ok: true, fixed_messages: 4 })
    expect(await world.startProcess().recover()).toMatchObject({ delivered: 4 })
    expect(world.sends()).toBe(4)
  })

  test('names who was reminded twice on a day', async () => {
    const messages = await remindedUsers()
    const copy = await copyOf(nth(messages, 2).id)
    const permit_id = nth(await world.permitsOf(copy.user_id), 1).id
    await db('wx_push_message').insert({ ...copy, permit_id, business_date: null })
    expect((await found()).one_reminder_per_day).toEqual([
      { app_id: world.account.appId, user_id: copy.user_id, date: copy.business_date, reminders: 2 },
    ])
    await db('wx_push_message').where({ permit_id }).update({ state: 'cancelled' })
    expect((await found()).one_reminder_per_day).toBeUndefined()
  })

  test('names a younger permit that was spent while an older one was there', async () => {
    await world.has(users(1, 5).permits(3))
    await remind()
    const message = nth(await world.messages(), 1)
    const [older, younger] = await world.permitsOf(message.user_id)
    const untouched = { status: 0, message_id: 0, updated_at: world.clock.now() - HOUR_MS }
    await db('wx_save_form_id').where({ id: older?.id }).update(untouched)
    await db('wx_save_form_id')
      .where({ id: younger?.id })
      .update({ status: 1, message_id: message.id, updated_at: world.clock.now() })
    await db('wx_push_message').where({ id: message.id }).update({ permit_id: younger?.id })
    const violation = {
      message_id: message.id,
      user_id: message.user_id,
      spent_permit: younger?.id,
      older_permit: older?.id,
    }
    expect(await found()).toEqual({ oldest_permit_first: [violation] })
    // It is still found after the older one has run out.
    world.clock.advance(2 * DAY_MS)
    await sweep()
    expect(await found()).toEqual({ oldest_permit_first: [violation] })
  })

  test('names a spent permit whose message is gone, cancelled, or on another permit', async () => {
    const messages = await remindedUsers()
    const [gone, cancelled, moved] = messages.slice(0, 3)
    await db('wx_push_message').where({ id: gone?.id }).delete()
    await db('wx_push_message')
      .where({ id: cancelled?.id })
      .update({ state: 'cancelled', business_date: null })
    await db('wx_push_message').where({ id: moved?.id }).update({ permit_id: 999_999 })
    const { spent_permit_has_message, message_has_permit } = await found()
    expect(spent_permit_has_message).toEqual(
      [gone, cancelled, moved].map((message) => ({ message_id: message?.id, permit_id: message?.permit_id })),
    )
    expect(message_has_permit).toEqual([{ message_id: moved?.id, permit_id: 999_999 }])
  })

  test('names a message whose permit is gone, unspent, or another message’s', async () => {
    const messages = await remindedUsers()
    const [gone, unspent, others] = messages.slice(0, 3)
    await db('wx_save_form_id').where({ id: gone?.permit_id }).delete()
    await db('wx_save_form_id').where({ id: unspent?.permit_id }).update({ status: 0 })
    await db('wx_save_form_id')
      .where({ id: others?.permit_id })
      .update({ message_id: nth(messages, 4).id })
    const { message_has_permit } = await found()
    expect(message_has_permit).toEqual(
      [gone, unspent, others].map((message) => ({ message_id: message?.id, permit_id: message?.permit_id })),
    )
  })

  test('names a message that went to another open_id than its permit’s', async () => {
    const messages = await remindedUsers()
    const [wrong, cancelled] = messages.slice(0, 2)
    await db('wx_push_message')
      .whereIn('id', [nth(messages, 0).id, nth(messages, 1).id])
      .update({ open_id: openIdOf(99) })
    await db('wx_push_message').where({ id: cancelled?.id }).update({ state: 'cancelled' })
    expect((await found()).permit_goes_to_its_giver).toEqual([
      { message_id: wrong?.id, permit_id: wrong?.permit_id },
    ])
  })

  test('names an ended run whose totals are not those of its messages', async () => {
    const messages = await remindedUsers()
    await db('wx_push_message')
      .where({ id: nth(messages, 1).id })
      .update({ state: 'failed' })
    const others = messages.length - 1
    expect((await found()).totals_of_ended_runs).toMatchObject([
      { delivered: others + 1, delivered_messages: others, failed: 0, failed_messages: 1 },
    ])
    await db('wx_job_run').update({ state: 'running' })
    expect((await found()).totals_of_ended_runs).toBeUndefined()
  })

  test('names outcomes that are not those of the messages, and with fix counts them again', async () => {
    world.wechat.addFault({ kind: 'errcode', errcode: 43101, times: 1, after: 2, match: { path: SEND_PATH } })
    await world.has(users(1, 5).permits(2))
    expect(await remind()).toMatchObject({ delivered: 4, failed: 1 })
    const counted = await outcomesOf()
    const delivered = (await world.messages()).find(({ state }) => state === 'delivered')
    await db('wx_push_message').where({ id: delivered?.id }).update({ state: 'unknown' })
    const { outcomes_are_those_of_messages } = await found()
    expect(outcomes_are_those_of_messages).toMatchObject([
      { outcome: 'delivered', counted: 4, messages: 3 },
      { outcome: 'unknown', counted: 0, messages: 1 },
    ])
    expect(await audit(db, world.clock.now(), true)).toMatchObject({ ok: true, fixed_outcomes: 1 })
    await db('wx_push_message').where({ state: 'unknown' }).update({ state: 'delivered' })
    await db('wx_run_outcome').delete()
    expect(Object.keys(await found())).toEqual(['totals_of_ended_runs', 'outcomes_are_those_of_messages'])
    expect(await audit(db, world.clock.now(), true)).toMatchObject({ ok: true, fixed_outcomes: 1 })
    expect(await outcomesOf()).toEqual(counted)
  })

  /** What the outcomes of the run come to. */
  const outcomesOf = () =>
    selectRows(
      db,
      `SELECT outcome, errcode, cause, template_id, CAST(SUM(messages) AS SIGNED) AS messages FROM wx_run_outcome
       GROUP BY outcome, errcode, cause, template_id ORDER BY outcome, errcode, cause`,
    )

  describe('raises no false alarm', () => {
    test('the audit raises no false alarm after a run gave everything back and the same day’s run went on', async () => {
      await world.has(users(1, 20).permits(2))
      expect(await world.startProcess({ appSecret: 'wrong' }).remind()).toMatchObject({ state: 'halted' })
      expect(await found()).toEqual({})
      world.clock.advance(MINUTE_MS)
      expect(await remind()).toMatchObject({ state: 'done', delivered: 20 })
      expect(await found()).toEqual({})
    })

    test('the audit raises no false alarm after a message took the next permit, or had none left', async () => {
      await world.has(users(1, 3).permits(3), user(4).permits(1), user(5).permits(1))
      for (const openId of [2, 4].map(openIdOf))
        world.wechat.addFault({ kind: 'errcode', errcode: 41028, match: { open_id: openId }, times: 1 })
      expect(await remind()).toMatchObject({ delivered: 4, failed: 1 })
      expect(await found()).toEqual({})
    })

    test('the audit raises no false alarm after a message took its next permit so late that one between had run out', async () => {
      await world.has(
        user(1)
          .permitFor(5 * HOUR_MS)
          .permitFor(HOUR_MS)
          .permitFor(2 * DAY_MS),
      )
      // The oldest lives for ten minutes only and is dead; the service was down while the second ran out.
      await db('wx_save_form_id')
        .where({ expire: world.clock.now() + 5 * HOUR_MS })
        .update({ expire: world.clock.now() + 10 * MINUTE_MS })
      await claimOne(world)
      world.wechat.addFault({ kind: 'errcode', errcode: 41028, times: 1, match: { open_id: openIdOf(1) } })
      await letWait(db, '1 = 1', 1)
      world.clock.advance(3 * HOUR_MS)
      await sweep()
      expect(await world.startProcess().recover()).toMatchObject({ delivered: 1 })
      expect((await world.permitsOf(1)).map(({ status }) => status)).toEqual([1, 2, 1])
      expect(await found()).toEqual({})
    })

    test('the audit raises no false alarm after an upload that was submitted before the permit that was spent', async () => {
      await world.has(users(1, 3).permitFor(3 * DAY_MS))
      await remind()
      world.clock.advance(MINUTE_MS)
      await upload(2, world.clock.now() - 6 * DAY_MS)
      expect(await found()).toEqual({})
      world.clock.advance(2 * DAY_MS)
      expect(await sweep()).toMatchObject({ expired: 1 })
      expect(await found()).toEqual({})
    })

    test('the audit raises no false alarm after rows that were written by hand with an earlier expiry', async () => {
      const { appId } = world.account
      await world.has(users(1, 3).permitFor(3 * DAY_MS))
      await remind()
      await db('wx_save_form_id').insert({
        app_id: appId,
        open_id: openIdOf(2),
        user_id: 2,
        form_id: 'by-hand',
        expire: world.clock.now() + DAY_MS,
      })
      await db('wx_message_push_status').where({ user_id: 2 }).increment('count')
      expect(await found()).toEqual({})
      world.clock.advance(2 * DAY_MS)
      expect(await sweep()).toMatchObject({ expired: 1 })
      expect(await found()).toEqual({})
    })

    test('the audit raises no false alarm after a submitted message gave back an older permit than the reminder took', async () => {
      await world.has(users(1, 3).permits(3))
      const waits = { not_before: world.clock.now() + HOUR_MS }
      const [one, two] = await submitTo(world, [1, 2, 3], waits)
      const cancel = (id = 0) => cancelMessage(db, world.account.appId, id, world.clock.now())
      // In the same millisecond, before and after.
      await cancel(one?.id)
      expect(await remind()).toMatchObject({ delivered: 3 })
      await cancel(two?.id)
      expect(await found()).toEqual({})
      world.clock.advance(DAY_MS + HOUR_MS)
      expect(await sweep()).toMatchObject({ expired: 1 })
      expect(await found()).toEqual({})
    })

    test('the audit raises no false alarm after a dead letter left its permit to run out and took another one', async () => {
      await world.has(user(1).permits(3))
      const [message] = await submitTo(world, [1], { not_after: world.clock.now() + 5 * DAY_MS })
      // The reminder takes the second one while the first is held.
      expect(await remind()).toMatchObject({ delivered: 1 })
      world.wechat.addFault({ kind: 'errcode', errcode: 47003, times: 3, match: { path: SEND_PATH } })
      for (let attempt = 0; attempt < 3; attempt++) {
        world.clock.advance(HOUR_MS)
        await sendSubmitted(world, world.startProcess())
      }
      expect((await world.permitsOf(1)).map(({ status }) => status)).toEqual([0, 1, 0])
      expect(await found()).toEqual({})
      world.clock.advance(DAY_MS)
      await requeueMessage(db, world.account, { id: message?.id ?? 0 }, world.clock.now())
      expect(await sweep()).toMatchObject({ expired: 1 })
      expect((await world.permitsOf(1)).map(({ status }) => status)).toEqual([2, 1, 1])
      expect(await found()).toEqual({})
    })

    test('the audit raises no false alarm after permits ran out that came with a person from another user', async () => {
      await world.has(user(1).permitFor(2 * DAY_MS), user(2).permitFor(DAY_MS))
      const rebind = (userId: number, movePermits: boolean) =>
        db.transaction((trx) =>
          rebindUser(trx, world.account, { openId: openIdOf(2), userId, movePermits }, world.clock.now()),
        )
      await rebind(2, false)
      expect(await world.startProcess().remind({ limit: 1 })).toMatchObject({ delivered: 1 })
      world.clock.advance(HOUR_MS)
      await rebind(1, true)
      expect((await world.permitsOf(1)).map(({ status }) => status)).toEqual([0, 1])
      expect(await found()).toEqual({})
      world.clock.advance(DAY_MS)
      expect(await sweep()).toMatchObject({ expired: 1 })
      expect(await found()).toEqual({})
    })

    test('the audit raises no false alarm after permits ran out beside the one that was spent', async () => {
      await world.has(
        users(1, 5)
          .permitFor(MINUTE_MS / 2)
          .permitFor(HOUR_MS)
          .permitFor(2 * HOUR_MS),
      )
      expect(await remind()).toMatchObject({ delivered: 5 })
      world.clock.advance(3 * HOUR_MS)
      expect(await sweep()).toMatchObject({ expired: 10 })
      expect(await found()).toEqual({})
    })
  })

  test('names two reminders of one day, even if neither has a run and the unique key was dropped', async () => {
    await db.raw(`DROP INDEX wx_push_message_reminder_uq${isSqlite(db) ? '' : ' ON wx_push_message'}`)
    const messages = await remindedUsers()
    const copy = await copyOf(nth(messages, 0).id)
    await db('wx_push_message').insert({ ...copy, run_id: null })
    await db('wx_push_message').update({ run_id: null })
    expect((await found()).one_reminder_per_day).toEqual([
      { app_id: world.account.appId, user_id: copy.user_id, date: copy.business_date, reminders: 2 },
    ])
    await db('wx_push_message').delete()
    await db.raw(
      'CREATE UNIQUE INDEX wx_push_message_reminder_uq ON wx_push_message (app_id, user_id, business_date)',
    )
  })
})
