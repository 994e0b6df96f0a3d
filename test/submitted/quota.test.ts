import { describe, expect, test } from 'vitest'
import { execute, selectRows } from '../../src/db/sql.js'
import { quotaLeft } from '../../src/messages/quota.js'
import { takeOver } from '../../src/messages/recovery.js'
import { QUOTA_PATH } from '../../src/sandbox/quota-endpoints.js'
import { findMessage } from '../../src/submitted/status.js'
import { createSubmittedWorker } from '../../src/submitted/worker.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, NOW, SEND_PATH, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)("submitted messages and WeChat's quota on %s", (dialect) => {
  const world = useWorld(dialect, { leaves: 'clean books' })

  test('stop where the reminders that are still planned need the rest, and go on the next day', async () => {
    await world.has(users(1, 20).permits(2))
    await execute(
      world.db,
      `INSERT INTO wx_platform_answer (app_id, subject, answer, answered_at, version)
       VALUES (?, ?, '{"daily_limit":25,"used":0,"remain":25,"ended":0}', ?, 1)`,
      [world.account.appId, `quota:${SEND_PATH}`, NOW],
    )
    await execute(
      world.db,
      `INSERT INTO wx_forecast_day (app_id, made_on, day, position, reachable, permits_left, going_dark, as_of)
       VALUES (?, ?, ?, 1, 20, 0, 0, 1)`,
      [world.account.appId, TODAY, TODAY],
    )
    await submitTo(world, users(1, 12).ids, { not_after: NOW + 3 * DAY_MS })
    expect(await sendSubmitted(world, world.startProcess())).toMatchObject({ delivered: 5 })
    expect(await sendSubmitted(world, world.startProcess())).toMatchObject({ delivered: 0 })
    expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 20 })
    world.clock.advance(15 * HOUR_MS)
    await execute(world.db, 'DELETE FROM wx_forecast_day')
    expect(await sendSubmitted(world, world.startProcess())).toMatchObject({ delivered: 7 })
  })

  test('are expired on time and put back after a crash while the quota holds them back', async () => {
    await world.has(users(1, 3).permits(2))
    await execute(
      world.db,
      `INSERT INTO wx_platform_answer (app_id, subject, answer, answered_at, version)
       VALUES (?, ?, '{"daily_limit":25,"used":25,"remain":0,"ended":0}', ?, 1)`,
      [world.account.appId, `quota:${SEND_PATH}`, NOW],
    )
    const [urgent, , left] = [
      ...(await submitTo(world, [1], { not_after: NOW + HOUR_MS })),
      ...(await submitTo(world, [2, 3], { not_after: NOW + 20 * HOUR_MS })),
    ]
    await execute(world.db, 'UPDATE wx_message_retry SET next_attempt_at = 1 WHERE message_id = ?', [
      left?.id ?? 0,
    ])
    const limits = { kind: 'api', limit: 1, leaseMs: 15_000, now: NOW } as const
    expect((await takeOver(world.db, world.account, limits)).messages).toMatchObject([{ id: left?.id }])
    await world.lapseLeases()
    world.clock.advance(HOUR_MS)
    expect(await sendSubmitted(world, world.startProcess())).toMatchObject({ delivered: 0, cancelled: 1 })
    const stateOf = async (id = 0) => (await findMessage(world.db, world.account.appId, id)).state
    expect([await stateOf(urgent?.id), await stateOf(left?.id)]).toEqual(['expired', 'queued'])
    expect(await world.counterOf(1)).toMatchObject({ count: 2 })
    expect(world.sends()).toBe(0)
  })

  describe('that WeChat says is used up (45009)', () => {
    const asked = (): number =>
      Object.values(world.wechat.stats().answers[QUOTA_PATH] ?? {}).reduce((a, b) => a + b, 0)
    const process = () => world.startProcess({ looksFirst: true, timeoutMs: 1_000 })
    const submitTwelve = async () => {
      await world.has(users(1, 12).permits(1))
      await submitTo(world, users(1, 12).ids, { not_after: NOW + 3 * DAY_MS })
    }

    test('ask for it once, for all processes and passes', async () => {
      await submitTwelve()
      world.wechat.configure({ dailyQuotas: { [SEND_PATH]: 5 } })
      const sent = await Promise.all(Array.from({ length: 4 }, () => sendSubmitted(world, process())))
      expect(sent.reduce((sum, { delivered }) => sum + delivered, 0)).toBe(5)
      expect(asked()).toBe(1)
      expect(await quotaLeft(world.db, world.account, world.clock.now())).toMatchObject({
        dailyLimit: 5,
        left: 0,
      })
      const attempts = world.sends()
      await sendSubmitted(world, process())
      expect(world.sends()).toBe(attempts)
      expect(asked()).toBe(1)
    })

    test('ask again ten minutes later, and go on once somebody has reset it', async () => {
      await submitTwelve()
      world.wechat.configure({ dailyQuotas: { [SEND_PATH]: 5 } })
      await sendSubmitted(world, process())
      const attempts = world.sends()
      world.clock.advance(11 * MINUTE_MS)
      await Promise.all(Array.from({ length: 4 }, () => sendSubmitted(world, process())))
      expect([asked(), world.sends()]).toEqual([2, attempts])
      world.wechat.configure({ dailyQuotas: { [SEND_PATH]: 50 } })
      await sendSubmitted(world, process())
      expect([asked(), world.sends()]).toEqual([2, attempts])
      world.clock.advance(11 * MINUTE_MS)
      expect(await sendSubmitted(world, process())).toMatchObject({ delivered: 7 })
      expect(asked()).toBe(3)
    })

    test('try one at a time as long as WeChat does not tell', async () => {
      await submitTwelve()
      world.wechat.configure({ dailyQuotas: { [SEND_PATH]: 5 } })
      world.wechat.addFault({ kind: 'http_status', status: 500, match: { path: QUOTA_PATH } })
      const worker = createSubmittedWorker(process(), world.account)
      expect(await worker.workDue()).toMatchObject({ delivered: 5 })
      const attempts = world.sends()
      for (let minute = 0; minute < 9; minute++) {
        world.clock.advance(MINUTE_MS)
        await worker.workDue()
      }
      expect(world.sends()).toBe(attempts)
      world.clock.advance(2 * MINUTE_MS)
      await worker.workDue()
      expect(world.sends()).toBe(attempts + 1)
      world.wechat.configure({ dailyQuotas: { [SEND_PATH]: 50 } })
      world.clock.advance(11 * MINUTE_MS)
      expect(await worker.workDue()).toMatchObject({ delivered: 7 })
      await worker.stop()
    })
  })

  test('count what was sent, not what a held template put back', async () => {
    await world.has(users(1, 40).permits(1))
    const account = { templates: ['WRONG'] }
    await execute(
      world.db,
      `INSERT INTO wx_platform_answer (app_id, subject, answer, answered_at, version)
       VALUES (?, ?, '{"daily_limit":1000,"used":0,"remain":1000,"ended":0}', ?, 1)`,
      [world.account.appId, `quota:${SEND_PATH}`, NOW],
    )
    await submitTo(world, users(1, 40).ids, { template_id: 'WRONG', account })
    await sendSubmitted(world, world.startProcess({ concurrency: 2 }), account)
    const [use] = await selectRows<{ submitted: number }>(world.db, 'SELECT submitted FROM wx_quota_use')
    expect(use?.submitted).toBe(world.sends())
    expect(world.sends()).toBeLessThan(20)
  })
})
