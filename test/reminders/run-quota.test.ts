import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { endOf } from '../../src/reminders/run-forecast.js'
import { findRunStatus } from '../../src/reminders/status.js'
import type { FaultSpec } from '../../src/sandbox/faults.js'
import { QUOTA_PATH } from '../../src/sandbox/quota-endpoints.js'
import { DAY_MS, NOW, SEND_PATH, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { timed } from '../helpers/stopwatch.js'
import { users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)('the quota of a run on %s', (dialect) => {
  const world = useWorld(dialect)

  const asked = (): number =>
    Object.values(world.wechat.stats().answers[QUOTA_PATH] ?? {}).reduce((sum, n) => sum + n, 0)
  const start = (timeoutMs = 5_000) => world.startProcess({ looksFirst: true, timeoutMs })
  const status = () => findRunStatus(world.db, world.account, TODAY, world.clock.now())

  test('is asked once at its start, by one process for all', async () => {
    await world.has(users(1, 50).permits(1))
    world.wechat.configure({ dailyQuotas: { [SEND_PATH]: 500 } })
    await Promise.all(Array.from({ length: 10 }, () => start().remind()))
    expect(asked()).toBe(1)
    expect((await status()).quota).toMatchObject({
      path: SEND_PATH,
      daily_limit: 500,
      left: 450,
      reserved: 0,
      enough: true,
    })
  })

  test('that is smaller than the run is said at its start; the run pauses at its end, and it is asked once more', async () => {
    await world.has(users(1, 30).permits(1))
    world.wechat.configure({ dailyQuotas: { [SEND_PATH]: 10 } })
    const report = await start().remind()
    expect(report).toMatchObject({ state: 'paused', delivered: 10 })
    expect(world.logged.join('')).toMatch(/quota\.short.*"remain":10,"planned":30/)
    expect(asked()).toBe(2)
    const { quota, errors } = await status()
    expect(quota).toMatchObject({ left: 0, reserved: 20, enough: false })
    expect(quota?.note).toMatch(/20 reminders are still planned/)
    expect(quota?.note_zh).toMatch(/20 条提醒/)
    expect(errors.find(({ errcode }) => errcode === 45009)).toMatchObject({
      finding: 'quota_used_up',
      fix: expect.any(String),
    })
  })

  test('is asked anew when the run is started again: somebody may have reset it in the console', async () => {
    await world.has(users(1, 30).permits(1))
    world.wechat.configure({ dailyQuotas: { [SEND_PATH]: 10 } })
    await start().remind()
    world.wechat.configure({ dailyQuotas: { [SEND_PATH]: 100 } })
    world.clock.advance(60_000)
    expect(await start().remind()).toMatchObject({ state: 'done', delivered: 20 })
    expect((await status()).quota).toMatchObject({ daily_limit: 100, left: 70, enough: true })
  })

  test('of yesterday is not told as that of another day', async () => {
    await start().remind()
    expect((await findRunStatus(world.db, world.account, TODAY, world.clock.now() + DAY_MS)).quota).toBeNull()
  })

  const FAULTS: FaultSpec[] = [
    { kind: 'errcode', errcode: 45009 },
    { kind: 'errcode', errcode: 76021 },
    { kind: 'errcode', errcode: 40001 },
    { kind: 'http_status', status: 500 },
    { kind: 'cut_before' },
    { kind: 'garbage' },
    { kind: 'hang' },
    { kind: 'stall' },
  ]

  test.each(FAULTS)(
    'that cannot be had because each question meets %o keeps nobody from being reminded',
    async (fault) => {
      await world.has(users(1, 10).permits(1))
      world.wechat.addFault({ ...fault, match: { path: QUOTA_PATH } })
      const { result, ms } = await timed(() => start(300).remind())
      expect(result).toMatchObject({ state: 'done', delivered: 10 })
      expect(ms).toBeLessThan(5_000)
      expect(world.logged.join('')).toContain('quota.not_had')
      expect((await status()).quota).toBeNull()
    },
  )
})

describe('the end of a run', () => {
  const MINUTE = 60_000
  const seen = {
    now: NOW,
    elapsed: MINUTE,
    share: 0.5,
    since: 600,
    rest: 600,
    quotaLeft: 10_000,
    sendRate: undefined,
    closesAt: NOW + 600 * MINUTE,
  }

  test('is foretold by the share of users read', () => {
    expect(endOf(seen)).toEqual({ at: NOW + MINUTE, by: 'done' })
  })

  test('is where the quota is used up, if less is left than is to be sent', () => {
    expect(endOf({ ...seen, quotaLeft: 300 })).toEqual({ at: NOW + MINUTE / 2, by: 'quota' })
    expect(endOf({ ...seen, quotaLeft: 600 })).toMatchObject({ by: 'done' })
  })

  test('does not come before SEND_RATE lets the rest go out', () => {
    expect(endOf({ ...seen, sendRate: 1 })).toEqual({ at: NOW + 600_000, by: 'done' })
  })

  test('is the end of the window, if that comes first', () => {
    const closesAt = NOW + 1_000
    expect(endOf({ ...seen, closesAt })).toEqual({ at: closesAt, by: 'window_closed' })
    expect(endOf({ ...seen, closesAt, quotaLeft: 300 })).toEqual({ at: closesAt, by: 'window_closed' })
  })
})

test('no call that clears a quota is anywhere in the program: WeChat allows ten a month, and a person decides', () => {
  const sources = new URL('../../src/', import.meta.url)
  const files = readdirSync(sources, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  )
  const clearing = files.filter((file) =>
    /clear_quota['"`/]|quota\/clear/.test(readFileSync(new URL(file, sources), 'utf8')),
  )
  expect(files.length).toBeGreaterThan(300)
  expect(clearing.filter((file) => !file.startsWith('sandbox'))).toEqual([])
})
