import { describe, expect, test } from 'vitest'
import { execute, selectRows } from '../../src/db/sql.js'
import { inTransaction } from '../../src/db/transaction.js'
import { findAllowance, quotaLeft } from '../../src/messages/quota.js'
import { QuotaMoved, takeCalls } from '../../src/messages/quota-count.js'
import { giveBackTo } from '../../src/messages/quota-store.js'
import { quotaDay } from '../../src/platform/quota.js'
import { recordPlanned } from '../../src/runs/occurrences.js'
import { SEND_PATHS } from '../../src/wechat/send-paths.js'
import { DAY_MS, HOUR_MS, NOW, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)('the quota of sends on %s', (dialect) => {
  const world = useWorld(dialect)

  /** What WeChat told at a time. */
  const told = (remain: number, { at = NOW, limit = 1_000, ended = 0 } = {}) =>
    execute(
      world.db,
      `INSERT INTO wx_platform_answer (app_id, subject, answer, answered_at, version) VALUES (?, ?, ?, ?, 1)`,
      [
        world.account.appId,
        `quota:${SEND_PATHS.form_id}`,
        JSON.stringify({ daily_limit: limit, used: limit - remain, remain, ended }),
        at,
      ],
    )
  const left = (now = NOW) => quotaLeft(world.db, world.account, now)
  /** Takes as a claim does: in its transaction, and with another look where another one was quicker. */
  const take = async (wanted: number, now = NOW, account = world.account): Promise<number> => {
    const allowance = await findAllowance(world.db, account, now)
    if (!allowance) return wanted
    const calls = Math.min(wanted, allowance.left)
    try {
      await inTransaction(world.db, (trx) => takeCalls(trx, allowance, calls))
      return calls
    } catch (error) {
      if (error instanceof QuotaMoved) return take(wanted, now, account)
      throw error
    }
  }
  const forecast = (reachable: number) =>
    execute(
      world.db,
      `INSERT INTO wx_forecast_day (app_id, made_on, day, position, reachable, permits_left, going_dark, as_of)
       VALUES (?, ?, ?, 1, ?, 0, 0, 1)`,
      [world.account.appId, TODAY, TODAY, reachable],
    )

  test('is not known before WeChat has told it: then submitted messages are not held back', async () => {
    expect(await left()).toBeUndefined()
    expect(await take(5_000)).toBe(5_000)
    expect(await selectRows(world.db, 'SELECT * FROM wx_quota_use')).toEqual([])
  })

  test('submitted messages take what the reminders that are still planned leave, and not one more', async () => {
    await told(100)
    await forecast(70)
    expect(await left()).toMatchObject({ left: 100, reserved: 70 })
    expect(await take(20)).toBe(20)
    expect(await take(20)).toBe(10)
    expect(await take(20)).toBe(0)
    expect(await left()).toMatchObject({ left: 70, reserved: 70 })
  })

  test('many processes that take at once take no more than there is', async () => {
    await told(100)
    await forecast(40)
    const taken = await Promise.all(Array.from({ length: 20 }, () => take(7)))
    const sum = taken.reduce((all, one) => all + one, 0)
    expect(sum).toBeLessThanOrEqual(60)
    expect(sum + (await take(60))).toBe(60)
  })

  test('what did not go out can be taken again', async () => {
    await told(100)
    expect(await take(100)).toBe(100)
    const allowance = await findAllowance(world.db, world.account, NOW)
    expect(allowance).toMatchObject({ left: 0 })
    if (allowance) await giveBackTo(world.db, allowance.use, 30)
    expect(await take(100)).toBe(30)
  })

  test('while the run goes on, each reminder takes from the quota and from its reserve', async () => {
    await world.has(users(1, 30).permits(1))
    await told(100)
    const process = world.startProcess()
    await process.remind({ limit: 10 })
    const [run] = await world.runs()
    await recordPlanned(world.db, run?.id ?? 0, 30)
    expect(await left()).toMatchObject({ left: 90, reserved: 20 })
    expect(await take(1_000)).toBe(70)
    await process.remind()
    expect(await left()).toMatchObject({ left: 0, reserved: 0 })
    expect(await take(1)).toBe(0)
  })

  test('after the run, and after its window, nothing is kept any more', async () => {
    await told(100)
    await forecast(80)
    await world.startProcess().remind()
    expect(await left()).toMatchObject({ reserved: 0 })
    await execute(world.db, 'DELETE FROM wx_job_run')
    expect(await left()).toMatchObject({ reserved: 80 })
    expect(await left(NOW + 13 * HOUR_MS)).toMatchObject({ reserved: 0 })
  })

  test('on another day it is the daily limit again, and what was taken before does not count', async () => {
    await told(0)
    expect(await take(1)).toBe(0)
    const tomorrow = NOW + DAY_MS
    expect(await left(tomorrow)).toMatchObject({ left: 1_000 })
    expect(await take(400, tomorrow)).toBe(400)
    expect(await take(1_000, tomorrow)).toBe(600)
  })

  test('of an account elsewhere begins anew within its day: what its run sent before does not count any more', async () => {
    await world.has(users(1, 30).permits(1))
    world.clock.set(Date.parse('2026-11-20T10:00:00+01:00'))
    await told(40, { at: world.clock.now(), limit: 40 })
    const account = { ...world.account, timezone: 'Europe/Berlin' }
    const leftAt = (time: string) => quotaLeft(world.db, account, Date.parse(time))
    await world.startProcess().remind({ account })
    expect(await leftAt('2026-11-20T16:59:59+01:00')).toMatchObject({ left: 10, reserved: 0 })
    expect(await leftAt('2026-11-20T17:00:00+01:00')).toMatchObject({ left: 40, reserved: 0 })
    // A run that is still going on may have sent all of its messages since then.
    await execute(world.db, "UPDATE wx_job_run SET state = 'running', finished_at = NULL")
    expect(await leftAt('2026-11-20T17:00:00+01:00')).toMatchObject({ left: 10 })
  })

  test('begins anew at midnight in Beijing, wherever the account is', () => {
    const midnight = Date.parse('2026-11-21T00:00:00+08:00')
    expect([quotaDay(midnight - 1), quotaDay(midnight)]).toEqual([20_261_120, 20_261_121])
  })

  test('what somebody has written by hand in place of it is not known', async () => {
    await told(100)
    await execute(world.db, 'UPDATE wx_platform_answer SET answer = \'{"remain":"many"}\'')
    expect(await left()).toBeUndefined()
    expect(await take(3)).toBe(3)
  })

  test('an account without a template keeps nothing for reminders', async () => {
    await told(100)
    await forecast(80)
    const account = { ...world.account, templateId: '' }
    expect(await take(100, NOW, account)).toBe(100)
  })
})
