import { DateTime } from 'luxon'
import { describe, expect, test } from 'vitest'
import type { Account } from '../../src/account.js'
import { readAccount } from '../../src/config/read.js'
import { openDatabase } from '../../src/db/connect.js'
import { selectRows } from '../../src/db/sql.js'
import { latestSweepSlot } from '../../src/permits/job.js'
import { findDueRun, recordMissedDays } from '../../src/reminders/due.js'
import { closeRun, openRun } from '../../src/runs/occurrences.js'
import type { JobRun, RunState } from '../../src/runs/run.js'
import { dialects, useDatabase } from '../helpers/database.js'

const APP_ID = 'wx1'

function account(env: Record<string, string> = {}): Account {
  return readAccount({ WX_APP_ID: APP_ID, TIMEZONE: 'Asia/Shanghai', ...env })
}

/** The moment at which a clock on a wall of the zone shows `text`. */
function at(text: string, zone = 'Asia/Shanghai'): number {
  const time = DateTime.fromSQL(text, { zone })
  if (!time.isValid) throw new Error(`${text} in ${zone}: ${time.invalidReason}`)
  return time.toMillis()
}

describe.each(dialects)('on %s', (dialect) => {
  const database = useDatabase(dialect)

  const runs = () =>
    selectRows<{ slot: number; state: RunState; triggered_by: string; reason: string | null }>(
      database.db,
      `SELECT slot, state, triggered_by, reason FROM wx_job_run WHERE job = 'remind' ORDER BY slot`,
    )

  async function ranOn(slot: number, startedAt: number, state: RunState = 'done'): Promise<JobRun> {
    const { run } = await openRun(
      database.db,
      { job: 'remind', appId: APP_ID, slot },
      { triggeredBy: 'cron', state: 'running' },
      startedAt,
    )
    if (state !== 'running') await closeRun(database.db, run.id, { state, reason: null }, startedAt)
    return run
  }

  const due = (now: number, env?: Record<string, string>) => findDueRun(database.db, account(env), now)

  describe('the daily run', () => {
    test('the daily run is not due before its time', async () => {
      expect(await due(at('2026-11-20 09:59:59.999'))).toBeUndefined()
      expect(await runs()).toEqual([])
    })

    test('the daily run is due from its time on, as a firing of the schedule', async () => {
      for (const time of ['10:00:00', '10:01:29'])
        expect(await due(at(`2026-11-20 ${time}`))).toEqual({ date: 20261120, triggeredBy: 'cron' })
    })

    test('the daily run is caught up by a process that was down at 10:00 and starts at 15:00', async () => {
      expect(await due(at('2026-11-20 15:00:00'))).toEqual({ date: 20261120, triggeredBy: 'catch-up' })
      expect(await due(at('2026-11-20 21:59:59.999'))).toMatchObject({ date: 20261120 })
    })

    test('the daily run is recorded as missed by a process that starts at 23:00, visibly and once', async () => {
      for (const time of ['22:00:00', '23:00:00', '23:01:00'])
        expect(await due(at(`2026-11-20 ${time}`))).toBeUndefined()
      expect(await runs()).toEqual([
        {
          slot: 20261120,
          state: 'missed',
          triggered_by: 'catch-up',
          reason: 'no process was running before its sending window closed',
        },
      ])
    })

    test('the daily run is due again on the day after one that was missed', async () => {
      await due(at('2026-11-20 23:00:00'))
      expect(await due(at('2026-11-21 10:00:00'))).toEqual({ date: 20261121, triggeredBy: 'cron' })
    })

    test.each<RunState>(['done', 'halted', 'paused', 'window_closed'])(
      'the daily run is not started again by itself once it ended as %s',
      async (state) => {
        await ranOn(20261120, at('2026-11-20 10:00:00'), state)
        for (const time of ['10:00:01', '12:00:00', '23:00:00'])
          expect(await due(at(`2026-11-20 ${time}`))).toBeUndefined()
        expect(await runs()).toMatchObject([{ state }])
      },
    )

    test('the daily run is joined while it runs, wherever that is', async () => {
      await ranOn(20261120, at('2026-11-20 10:00:00'), 'running')
      expect(await due(at('2026-11-20 10:00:30'))).toEqual({ date: 20261120, triggeredBy: 'cron' })
      expect(await due(at('2026-11-20 16:00:00'))).toEqual({ date: 20261120, triggeredBy: 'catch-up' })
    })

    test('the daily run is due although somebody ran it by hand before its time', async () => {
      await ranOn(20261120, at('2026-11-20 08:00:00'))
      expect(await due(at('2026-11-20 10:00:00'))).toEqual({ date: 20261120, triggeredBy: 'cron' })
    })

    test('the daily run is not due when somebody ran it by hand after its time', async () => {
      await ranOn(20261120, at('2026-11-20 10:30:00'))
      expect(await due(at('2026-11-20 11:00:00'))).toBeUndefined()
    })

    test('the daily run has a second firing on a day that has two', async () => {
      const twice = { REMIND_CRON: '0 10,18 * * *' }
      await ranOn(20261120, at('2026-11-20 10:00:00'))
      expect(await due(at('2026-11-20 17:59:59'), twice)).toBeUndefined()
      expect(await due(at('2026-11-20 18:00:00'), twice)).toEqual({ date: 20261120, triggeredBy: 'cron' })
      expect(await due(at('2026-11-20 21:00:00'), twice)).toEqual({ date: 20261120, triggeredBy: 'catch-up' })
    })

    test('the daily run is not recorded as missed on a day whose first firing ran', async () => {
      await ranOn(20261120, at('2026-11-20 10:00:00'))
      await due(at('2026-11-20 23:00:00'), { REMIND_CRON: '0 10,18 * * *' })
      expect(await runs()).toMatchObject([{ state: 'done' }])
    })

    test('the daily run was missed for want of a process if only a later firing comes after the window', async () => {
      await due(at('2026-11-20 23:30:00'), { REMIND_CRON: '0 10,23 * * *' })
      const reason = expect.stringContaining('no process was running')
      expect(await runs()).toMatchObject([{ state: 'missed', reason }])
    })

    test('the daily run is not due on a day that the expression leaves out', async () => {
      // 2026-11-21 is a Saturday.
      expect(await due(at('2026-11-21 12:00:00'), { REMIND_CRON: '0 10 * * 1-5' })).toBeUndefined()
      expect(await due(at('2026-11-21 23:00:00'), { REMIND_CRON: '0 10 * * 1-5' })).toBeUndefined()
      expect(await runs()).toEqual([])
    })

    test('belongs to the day that it is in its own zone', async () => {
      const moment = Date.UTC(2026, 10, 20, 3)
      expect(await due(moment, { TIMEZONE: 'Asia/Shanghai' })).toMatchObject({ date: 20261120 })
      expect(await due(moment, { TIMEZONE: 'Pacific/Auckland' })).toMatchObject({ date: 20261120 })
      expect(await due(moment, { TIMEZONE: 'America/Los_Angeles' })).toMatchObject({ date: 20261119 })
      expect(await due(moment, { TIMEZONE: 'Europe/London' })).toBeUndefined()
      const evening = Date.UTC(2026, 10, 20, 22)
      expect(await due(evening, { TIMEZONE: 'Pacific/Kiritimati' })).toMatchObject({ date: 20261121 })
    })

    test('the daily run of one account says nothing about another one', async () => {
      await ranOn(20261120, at('2026-11-20 10:00:00'))
      expect(await due(at('2026-11-20 10:00:30'), { WX_APP_ID: 'wx2' })).toMatchObject({ date: 20261120 })
    })
  })

  describe('when the clocks are changed', () => {
    const berlin = { TIMEZONE: 'Europe/Berlin', REMIND_CRON: '30 2 * * *' }

    test('a time that is skipped fires when the gap ends, once', async () => {
      // 2026-03-29: 02:00 becomes 03:00, so 02:30 is shown by no clock.
      expect(await due(at('2026-03-29 01:59:59', 'Europe/Berlin'), berlin)).toBeUndefined()
      const gapEnd = at('2026-03-29 03:30:00', 'Europe/Berlin')
      expect(await due(gapEnd, berlin)).toEqual({ date: 20260329, triggeredBy: 'cron' })
      await ranOn(20260329, gapEnd)
      expect(await due(gapEnd + 60_000, berlin)).toBeUndefined()
    })

    test('a time that the gap moves behind the window is missed, and says why', async () => {
      // 02:30 is moved to 03:30, and sending ends at 03:00.
      const early = { ...berlin, SEND_UNTIL: '03:00' }
      expect(await due(at('2026-03-29 03:30:00', 'Europe/Berlin'), early)).toBeUndefined()
      expect(await runs()).toMatchObject([
        { state: 'missed', reason: expect.stringContaining('REMIND_CRON') },
      ])
      expect(await due(at('2026-03-30 02:30:00', 'Europe/Berlin'), early)).toMatchObject({ date: 20260330 })
    })

    test('a time that comes twice fires the first time only', async () => {
      // 2026-10-25: 03:00 becomes 02:00, so 02:30 comes twice, an hour apart.
      const first = Date.UTC(2026, 9, 25, 0, 30)
      expect(await due(first - 1, berlin)).toBeUndefined()
      expect(await due(first, berlin)).toEqual({ date: 20261025, triggeredBy: 'cron' })
      await ranOn(20261025, first)
      expect(await due(first + 60 * 60 * 1000, berlin)).toBeUndefined()
    })

    test('a day that lacks the time of the run has its run all the same', async () => {
      // Lord Howe moves by half an hour: on this day no clock shows 02:00 to 02:29.
      const lordHowe = { TIMEZONE: 'Australia/Lord_Howe', REMIND_CRON: '15 2 * * *' }
      const gapEnd = at('2026-10-04 02:45:00', 'Australia/Lord_Howe')
      expect(await due(gapEnd - 1, lordHowe)).toBeUndefined()
      expect(await due(gapEnd, lordHowe)).toEqual({ date: 20261004, triggeredBy: 'cron' })
    })

    test('a day that a zone left out is neither run nor missed', async () => {
      // Samoa went from 2011-12-29 to 2011-12-31.
      const apia = { TIMEZONE: 'Pacific/Apia' }
      await ranOn(20111229, at('2011-12-29 10:00:00', 'Pacific/Apia'))
      const now = at('2011-12-31 09:00:00', 'Pacific/Apia')
      expect(await recordMissedDays(database.db, account(apia), now)).toEqual([])
    })
  })

  describe('days on which no process was there', () => {
    const missed = (now: number, env?: Record<string, string>) =>
      recordMissedDays(database.db, account(env), now)

    test('days on which no process was there are none before the first run ever', async () => {
      expect(await missed(at('2026-11-20 09:00:00'))).toEqual([])
      expect(await runs()).toEqual([])
    })

    test('days on which no process was there are recorded one by one, not today', async () => {
      await ranOn(20261116, at('2026-11-16 10:00:00'))
      expect(await missed(at('2026-11-20 23:30:00'))).toEqual([20261117, 20261118, 20261119])
      expect((await runs()).map(({ slot, state }) => [slot, state])).toEqual([
        [20261116, 'done'],
        [20261117, 'missed'],
        [20261118, 'missed'],
        [20261119, 'missed'],
      ])
      expect((await runs()).at(-1)?.reason).toBe('no process was running on that day')
    })

    test('days on which no process was there are recorded once, and then known', async () => {
      await ranOn(20261118, at('2026-11-18 10:00:00'))
      expect(await missed(at('2026-11-20 09:00:00'))).toEqual([20261119])
      expect(await missed(at('2026-11-20 09:00:00'))).toEqual([])
      expect(await runs()).toHaveLength(2)
    })

    test('days on which no process was there go back a week at most', async () => {
      await ranOn(20260101, at('2026-01-01 10:00:00'))
      const days = await missed(at('2026-11-20 09:00:00'))
      expect(days).toHaveLength(7)
      expect(days[0]).toBe(20261113)
    })

    test('days on which no process was there leave out days that the expression leaves out', async () => {
      await ranOn(20261119, at('2026-11-19 10:00:00'))
      const weekdays = { REMIND_CRON: '0 10 * * 1-5' }
      expect(await missed(at('2026-11-24 09:00:00'), weekdays)).toEqual([20261120, 20261123])
    })
  })

  describe('a run that was left running', () => {
    test('a run that was left running by a process that died is ended when its window has closed', async () => {
      await ranOn(20261120, at('2026-11-20 10:00:00'), 'running')
      expect(await due(at('2026-11-20 22:00:00'))).toBeUndefined()
      expect(await runs()).toMatchObject([
        { state: 'window_closed', reason: expect.stringContaining('window') },
      ])
    })

    test('a run that was left running on an earlier day is ended by the next process that starts', async () => {
      await ranOn(20261118, at('2026-11-18 10:00:00'), 'running')
      expect(await recordMissedDays(database.db, account(), at('2026-11-20 09:00:00'))).toEqual([20261119])
      expect(await runs()).toMatchObject([
        { slot: 20261118, state: 'window_closed', reason: expect.stringContaining('window') },
        { slot: 20261119, state: 'missed' },
      ])
    })

    test('a run that was left running is left alone while its window is open', async () => {
      await ranOn(20261120, at('2026-11-20 10:00:00'), 'running')
      await recordMissedDays(database.db, account(), at('2026-11-20 21:00:00'))
      await due(at('2026-11-20 21:00:00'))
      expect(await runs()).toMatchObject([{ state: 'running' }])
    })
  })

  test('two processes that start at once write one row, and say the same', async () => {
    const other = openDatabase(database.url)
    try {
      await ranOn(20261117, at('2026-11-17 10:00:00'))
      const now = at('2026-11-20 23:00:00')
      await Promise.all(
        [database.db, other, database.db, other].map((db) => recordMissedDays(db, account(), now)),
      )
      await Promise.all([database.db, other].map((db) => findDueRun(db, account(), now)))
      expect((await runs()).map(({ slot }) => slot)).toEqual([20261117, 20261118, 20261119, 20261120])

      const opened = await Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          openRun(
            i % 2 ? database.db : other,
            { job: 'remind', appId: APP_ID, slot: 20261121 },
            { triggeredBy: 'cron', state: 'running' },
            now,
          ),
        ),
      )
      expect(opened.filter((each) => each.opened)).toHaveLength(1)
      expect(new Set(opened.map(({ run }) => run.id)).size).toBe(1)
    } finally {
      await other.destroy()
    }
  })
})

describe('the slot of a sweep', () => {
  test('the slot of a sweep is its newest firing of the day', () => {
    const every20 = account()
    expect(latestSweepSlot(every20, at('2026-11-20 10:19:59.999'))).toBe(at('2026-11-20 10:00:00'))
    expect(latestSweepSlot(every20, at('2026-11-20 10:20:00'))).toBe(at('2026-11-20 10:20:00'))
    expect(latestSweepSlot(every20, at('2026-11-20 00:00:00'))).toBe(at('2026-11-20 00:00:00'))
  })

  test('the slot of a sweep is none before the first firing of the day', () => {
    const nightly = account({ EXPIRE_CRON: '30 3 * * *' })
    expect(latestSweepSlot(nightly, at('2026-11-20 03:29:59'))).toBeUndefined()
    expect(latestSweepSlot(nightly, at('2026-11-20 23:59:59'))).toBe(at('2026-11-20 03:30:00'))
  })

  test('comes once in an hour that comes twice', () => {
    const berlin = account({ TIMEZONE: 'Europe/Berlin', EXPIRE_CRON: '*/30 * * * *' })
    const first = Date.UTC(2026, 9, 25, 0, 30)
    expect(latestSweepSlot(berlin, first)).toBe(first)
    // The second 02:30: the firing of the first one is still the newest.
    expect(latestSweepSlot(berlin, first + 60 * 60 * 1000)).toBe(first)
  })

  test('never goes back on its way through days on which clocks change', { tags: ['long'] }, () => {
    for (const [zone, day] of [
      ['Europe/Berlin', '2026-03-29'],
      ['Europe/Berlin', '2026-10-25'],
      ['Australia/Lord_Howe', '2026-04-05'],
    ] as const) {
      const sweeps = account({ TIMEZONE: zone, EXPIRE_CRON: '10 * * * *' })
      const start = DateTime.fromISO(day, { zone }).toMillis()
      let last = 0
      for (let now = start; now < start + 26 * 60 * 60 * 1000; now += 10 * 60_000) {
        const slot = latestSweepSlot(sweeps, now)
        if (slot === undefined) continue
        expect(slot).toBeGreaterThanOrEqual(last)
        expect(slot).toBeLessThanOrEqual(now)
        last = slot
      }
    }
  })
})
