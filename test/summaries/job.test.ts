import { describe, expect, test } from 'vitest'
import { summarizeJob } from '../../src/summaries/job.js'
import { HOUR_MS, MINUTE_MS } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { addPermits, silentLog } from '../helpers/rows.js'
import { users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)('the job of the summaries on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'anything' })
  const { signal } = new AbortController()
  const newJob = () =>
    summarizeJob({ db: world.db, log: silentLog, now: world.clock.now }, { ...world.account })

  /** Ticks of a while, one a minute, and at how many of them everything was summarized. */
  async function tick(minutes: number): Promise<number> {
    const job = newJob()
    let whole = 0
    for (let i = 0; i < minutes; i++) {
      const before = await beganAt()
      await job.look(signal)
      if ((await beganAt()) !== before) whole++
      world.clock.advance(MINUTE_MS)
    }
    return whole
  }
  const beganAt = async (): Promise<number> =>
    (await world.db('wx_summary_progress').first('began_at'))?.began_at ?? 0

  test('summarizes everything at once, and then each ten minutes', async () => {
    await world.has(users(1, 3).permits(2))
    expect(await tick(1)).toBe(1)
    expect(await tick(9)).toBe(0)
    expect(await tick(20)).toBe(2)
  })

  test('and soon after a run of reminders has ended', async () => {
    await world.has(users(1, 3).permits(2))
    await tick(2)
    await world.startProcess().remind()
    expect(await tick(1)).toBe(1)
    expect(await tick(5)).toBe(0)
    expect(await world.db('wx_day_summary').orderBy('day', 'desc').first('spent')).toEqual({ spent: 3 })
  })

  test('counts new permits each minute or two in between, and writes nothing if there are none', async () => {
    await tick(2)
    await addPermits(world.db, [{ user_id: 1, created_at: world.clock.now() }])
    expect(await tick(4)).toBe(0)
    expect(await world.db('wx_day_summary').sum({ granted: 'granted_form' }).first()).toMatchObject({
      granted: expect.toSatisfy((granted: unknown) => Number(granted) === 1),
    })
    const before = await world.db('wx_summary_progress')
    await tick(2)
    expect(await world.db('wx_summary_progress')).toEqual(before)
  })

  test('is not held up by a clock that was put back', async () => {
    await tick(1)
    world.clock.advance(-3 * HOUR_MS)
    expect(await tick(1)).toBe(1)
  })
})
