import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import { execute } from '../../src/db/sql.js'
import { addDays } from '../../src/lib/business-date.js'
import { findDueRun } from '../../src/reminders/due.js'
import { findRunStatus, listRuns } from '../../src/reminders/status.js'
import { findShareRead } from '../../src/reminders/status-store.js'
import { ACCEPTED } from '../helpers/answers.js'
import { claimAll } from '../helpers/claims.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, NOW, SEND_PATH, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { openPool, recordQueries } from '../helpers/rows.js'
import { openMeter } from '../helpers/rows-read.js'
import { user, users } from '../helpers/users.js'
import { refusedUrl } from '../helpers/wechat.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)('the status of a day on %s', (dialect) => {
  const world = useWorld(dialect)
  const status = (date = TODAY) => findRunStatus(world.db, world.account, date, world.clock.now())

  describe('without a run', () => {
    test('says when it is due, and nothing to do', async () => {
      world.clock.set(NOW - HOUR_MS)
      expect(await status()).toMatchObject({
        date: '2026-11-20',
        run_id: null,
        state: 'not_started',
        remedy: null,
        next_firing_at: new Date(NOW).toISOString(),
        delivered: 0,
        errors: [],
        open: null,
      })
      expect(await status(addDays(TODAY, 1))).toMatchObject({
        state: 'not_started',
        next_firing_at: new Date(NOW + DAY_MS).toISOString(),
      })
    })

    test('says that nobody has started it, and what to do', async () => {
      world.clock.advance(HOUR_MS)
      const { reason, reason_zh, remedy, remedy_zh, next_firing_at } = await status()
      expect(reason).toContain('no process')
      expect(reason_zh).toContain('没有进程')
      expect(remedy).toContain('serve')
      expect(remedy_zh).toContain('serve')
      expect(next_firing_at).toBeNull()
    })

    test('says that the account has no template, no firing on that day, or no record of it', async () => {
      const of = (changes: object, date = TODAY) =>
        findRunStatus(world.db, { ...world.account, ...changes }, date, world.clock.now())
      expect(await of({ templateId: '' })).toMatchObject({
        remedy: expect.stringContaining('REMINDER_TEMPLATE_ID'),
      })
      expect(await of({ remindCron: '0 10 1 * *' })).toMatchObject({
        reason: expect.stringContaining('REMIND_CRON'),
      })
      expect(await of({}, 20200101)).toMatchObject({
        reason: expect.stringContaining('on record'),
        remedy: null,
      })
    })
  })

  test('counts what became of the messages, whom the run passed over, and each code with what to do', async () => {
    await world.has(
      users(1, 6).permits(2),
      users(7, 8).permits(1).signedInToday(),
      user(9).permits(1).optedOut(),
      users(10, 12).permits(1).blocked(),
      user(13).permitFor(1_000),
    )
    await execute(world.db, 'INSERT INTO wx_message_push_status (app_id, user_id, count) VALUES (?, 99, 0)', [
      world.account.appId,
    ])
    world.wechat.addFault({ kind: 'errcode', errcode: 43101, times: 2, after: 1, match: { path: SEND_PATH } })
    await world.startProcess().remind()
    const answer = await status()
    expect(answer).toMatchObject({
      state: 'done',
      triggered_by: 'manual',
      reason: null,
      remedy: null,
      due: 6,
      claimed: 6,
      delivered: 4,
      failed: 2,
      unknown: 0,
      retrying: 0,
      cancelled: 0,
      in_hand: 0,
      skipped: {
        signed_in: 2,
        no_valid_permit: 1,
        opted_out: 1,
        blocked: 3,
        as_of: new Date(NOW).toISOString(),
      },
      progress: null,
      open: null,
    })
    expect(answer.skipped.no_permit).toBe(1)
    expect(answer.errors).toHaveLength(1)
    const [error] = answer.errors
    expect(error).toMatchObject({
      errcode: 43101,
      name: 'user_refused',
      class: 'user',
      outcome: 'failed',
      count: 2,
      template_id: world.account.templateId,
      first_seen_at: new Date(NOW).toISOString(),
      last_seen_at: new Date(NOW).toISOString(),
    })
    expect(error?.meaning_zh).toContain('拒绝')
    expect(error?.what_to_do_zh).toMatch(/\p{Script=Han}/u)
    const failed = (await world.messages()).filter(({ state }) => state === 'failed')
    expect(failed.map(({ id }) => id)).toEqual(expect.arrayContaining(error?.sample_message_ids ?? [0]))
    expect(failed.map(({ rid }) => rid)).toEqual(expect.arrayContaining(error?.sample_rids ?? ['']))
    expect(error?.sample_rids.length).toBeGreaterThan(0)
  })

  test('is true in the middle of a run, with its rate', async () => {
    await world.has(users(1, 100).permits(1))
    let asked: Awaited<ReturnType<typeof status>> | undefined
    let sent = 0
    const send = async () => {
      if (++sent === 40) {
        world.clock.advance(10_000)
        // A group of verdicts may be written between two of its statements: asked in a moment in which none is.
        asked = await eventually('no verdict is being written', async () => {
          const [before, after] = [await status(), await status()]
          return isDeepStrictEqual(before, after) ? after : undefined
        })
      }
      return ACCEPTED
    }
    await world.startProcess({ send, concurrency: 1, rate: 1_000_000 }).remind()
    expect(asked).toMatchObject({ state: 'running', due: null, failed: 0, retrying: 0, finished_at: null })
    const { claimed = 0, delivered = 0, in_hand = 0, open } = asked ?? {}
    expect(claimed).toBeGreaterThanOrEqual(40)
    expect(delivered + in_hand).toBe(claimed)
    expect(in_hand).toBeGreaterThan(0)
    expect(open?.in_hand).toBe(in_hand)
    expect(asked?.progress).toBeGreaterThan(0.3)
    expect(asked?.rate_per_second).toBe(Math.round(delivered) / 10)
    expect(await status()).toMatchObject({ state: 'done', delivered: 100, in_hand: 0, open: null })
  })

  test('foretells the end from how far the ranges have come, and not while WeChat takes nothing', async () => {
    await world.has(users(1, 800).permits(1))
    const [first] = await claimAll(world)
    const runId = first?.runId ?? 0
    await execute(world.db, 'UPDATE wx_job_cursor SET cur = cur - 50 WHERE run_id = ? AND cur > 50', [runId])
    expect(await findShareRead(world.db, world.account.appId, runId)).toBeLessThan(1)
    await execute(
      world.db,
      'UPDATE wx_job_cursor SET cur = CASE WHEN range_no < 4 THEN hi ELSE cur END WHERE run_id = ?',
      [runId],
    )
    await execute(
      world.db,
      'UPDATE wx_job_cursor SET cur = (SELECT hi FROM (SELECT hi FROM wx_job_cursor WHERE run_id = ? AND range_no = 3) AS h) WHERE run_id = ? AND range_no >= 4',
      [runId, runId],
    )
    world.clock.advance(MINUTE_MS)
    const half = await status()
    expect(half.progress).toBe(0.5)
    expect(half.expected_finish_at).toBe(new Date(NOW + 2 * MINUTE_MS).toISOString())
    await execute(
      world.db,
      "UPDATE wx_job_run SET reason = 'WeChat is away', cause = 'outage' WHERE id = ?",
      [runId],
    )
    const waiting = await status()
    expect(waiting).toMatchObject({ expected_finish_at: null, reason_zh: 'WeChat is away' })
    expect(waiting.remedy).toContain('each minute')
  })

  test('a halt says the reason and what to do, in both languages', async () => {
    await world.has(users(1, 5).permits(2))
    await world.startProcess({ appSecret: 'wrong' }).remind()
    const halted = await status()
    expect(halted).toMatchObject({ state: 'halted', delivered: 0, cancelled: 1, in_hand: 0 })
    expect(halted.reason).not.toMatch(/\p{Script=Han}/u)
    expect(halted.reason_zh).toMatch(/AppSecret/)
    expect(halted.remedy).toContain('remind')
    expect(halted.remedy_zh).toContain('remind')
    expect(halted.errors).toMatchObject([{ outcome: 'cancelled', count: 1 }])
  })

  test('an outage is told with what had no answer, and a run without an end as running', async () => {
    await world.has(users(1, 20).permits(2))
    await world.startProcess({ baseUrl: await refusedUrl() }).remind()
    const away = await status()
    expect(away).toMatchObject({ state: 'running', due: null, expected_finish_at: null })
    expect(away.reason_zh).toContain('微信暂时不接收消息')
    expect(away.errors.some(({ errcode, name }) => errcode === null && name === 'unreachable')).toBe(true)
    await world.startProcess().recover()
    await world.startProcess().remind()
    expect(await status()).toMatchObject({ state: 'done', delivered: 20, reason: null })
  })

  test('a missed day says so, and how to keep it from happening again', async () => {
    world.clock.advance(13 * HOUR_MS)
    expect(await findDueRun(world.db, world.account, world.clock.now())).toBeUndefined()
    const missed = await status()
    expect(missed).toMatchObject({ state: 'missed', triggered_by: 'catch-up', claimed: 0 })
    expect(missed.reason_zh).toContain('没有进程')
    expect(missed.remedy_zh).toContain('serve')
  })

  test('tells how many were expected when it was opened, also after more have come', async () => {
    await world.has(users(1, 5).permits(1), user(6).permits(1).signedInToday())
    await world.startProcess().remind()
    await world.has(users(7, 9).permits(1))
    await world.startProcess().remind()
    expect(await status()).toMatchObject({ planned: 5, due: 8, delivered: 8 })
  })

  test('only reads', async () => {
    await world.has(users(1, 20).permits(2))
    await claimAll(world)
    const pool = openPool(world.database)
    const queries = recordQueries(pool)
    try {
      await findRunStatus(pool, world.account, TODAY, world.clock.now())
      await listRuns(pool, world.account, { limit: 9 })
    } finally {
      await pool.destroy()
    }
    expect(queries.length).toBeGreaterThan(6)
    expect(
      queries.filter(({ sql }) => !/^\s*SELECT/i.test(sql) || /FOR UPDATE|SHARE MODE/.test(sql)),
    ).toEqual([])
  })

  test('lists runs page by page, newest first', async () => {
    await world.has(users(1, 3).permits(6))
    for (let day = 0; day < 3; day++) {
      await world.startProcess().remind()
      world.clock.advance(DAY_MS)
    }
    const first = await listRuns(world.db, world.account, { limit: 2 })
    expect(first.runs.map(({ date, delivered }) => [date, delivered])).toEqual([
      ['2026-11-22', 3],
      ['2026-11-21', 3],
    ])
    expect(first.next).toBe('2026-11-21')
    const second = await listRuns(world.db, world.account, { limit: 2, before: first.next ?? '' })
    expect(second).toMatchObject({ runs: [{ date: '2026-11-20', delivered: 3 }], next: null })
  })

  if (dialect === 'mysql') {
    test('reads as much with hundreds of messages as with a few', async () => {
      const read = async (userCount: number) => {
        await world.has(users(1, userCount).permits(3))
        await world.startProcess({ send: async () => ACCEPTED }).remind()
        const meter = openMeter(world.database)
        try {
          const ask = () => findRunStatus(meter.db, world.account, TODAY, world.clock.now())
          await ask()
          return await meter.rowsRead(ask)
        } finally {
          await meter.close()
          await world.reset()
        }
      }
      const few = await read(20)
      expect(few).toBeLessThan(300)
      expect(await read(600)).toBeLessThan(few + 100)
    })
  }
})
