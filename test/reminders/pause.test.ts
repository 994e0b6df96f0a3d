import { describe, expect, test } from 'vitest'
import { findDueRun } from '../../src/reminders/due.js'
import { pauseRun } from '../../src/reminders/pause.js'
import { findRunStatus } from '../../src/reminders/status.js'
import { ACCEPTED } from '../helpers/answers.js'
import { DAY_MS, HOUR_MS, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)('a run that an operator pauses on %s', (dialect) => {
  const world = useWorld(dialect)
  const pause = () => pauseRun(world.db, world.account, TODAY, 'li.lei', world.clock.now())
  const status = () => findRunStatus(world.db, world.account, TODAY, world.clock.now())
  const due = () => findDueRun(world.db, world.account, world.clock.now())

  /** Two processes at work, of which one pauses the run: with both in it, for who is started by hand later resumes it. */
  async function pauseInTheMiddle() {
    await world.has(users(1, 3_000).permits(2))
    let paused: Promise<void> | undefined
    let sent = 0
    const started = () => world.logged.filter((line) => line.includes('remind.started')).length
    const before = started()
    const send = async () => {
      if (++sent > 20) paused ??= eventually('both are at work', () => started() === before + 2).then(pause)
      await paused
      return ACCEPTED
    }
    const processes = [0, 1].map(() => world.startProcess({ send, concurrency: 8 }))
    return Promise.all(processes.map((process) => process.remind()))
  }

  test('is left by every process, with what they had in hand finished', async () => {
    const reports = await pauseInTheMiddle()
    expect(reports.map(({ state }) => state)).toEqual(['paused', 'paused'])
    expect(reports[0]?.reason).toContain('li.lei')
    const { claimed, ...paused } = await status()
    expect(claimed).toBeGreaterThan(20)
    expect(claimed).toBeLessThan(3_000)
    expect(paused).toMatchObject({ state: 'paused', delivered: claimed, in_hand: 0, retrying: 0, open: null })
    expect(paused.reason_zh).toContain('li.lei')
    expect(paused.remedy_zh).toContain('继续')
  })

  test('stays paused for the schedule, also at a second firing and if it is paused while a process starts it', async () => {
    await pauseInTheMiddle()
    expect(await due()).toBeUndefined()
    world.clock.advance(2 * HOUR_MS)
    const twice = { ...world.account, remindCron: '0 10,11 * * *' }
    expect(await findDueRun(world.db, twice, world.clock.now())).toBeUndefined()
    const before = await status()
    expect(await world.startProcess().remind({ triggeredBy: 'cron' })).toMatchObject({
      state: 'paused',
      delivered: 0,
    })
    expect(await status()).toEqual({ ...before, updated_at: expect.any(String) })
  })

  test('goes on by hand and reminds everybody once; the next day starts as usual', {
    tags: ['long'],
  }, async () => {
    await pauseInTheMiddle()
    const { delivered } = await status()
    expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 3_000 - delivered })
    expect(await status()).toMatchObject({ state: 'done', delivered: 3_000, reason: null, due: 3_000 })
    world.clock.advance(DAY_MS)
    expect(await due()).toMatchObject({ triggeredBy: 'cron' })
  })

  test('is refused where nothing runs', async () => {
    await expect(pause()).rejects.toMatchObject({ code: 'not_found' })
    await world.has(users(1, 2).permits(1))
    await world.startProcess().remind()
    await expect(pause()).rejects.toMatchObject({ code: 'conflict' })
    expect(await status()).toMatchObject({ state: 'done' })
  })
})
