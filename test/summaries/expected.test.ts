import { describe, expect, test } from 'vitest'
import { addDays, toIsoDate } from '../../src/lib/business-date.js'
import { backTest } from '../../src/summaries/back-test.js'
import { expectedOf, quantile } from '../../src/summaries/expected.js'
import { findForecast } from '../../src/summaries/forecast.js'
import { NOW, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

const outcome = (reachable: number, reminded: number) => ({
  made_on: 20_261_101,
  day: 20_261_102,
  position: 1,
  reachable,
  reminded,
})

describe('what is to be expected', () => {
  test('is what usually became of such a forecast, with a band', () => {
    const history = [0, 10, 20, 30, 40].map((more) => outcome(100, 100 + more))
    expect(expectedOf(500, history)).toEqual({ expected: 520, expected_low: 504, expected_high: 536 })
  })

  test('is never below nobody, and nothing is concluded from two days', () => {
    const fewer = [outcome(100, 20), outcome(100, 30), outcome(100, 40)]
    expect(expectedOf(10, fewer)).toEqual({ expected: 0, expected_low: 0, expected_high: 0 })
    expect(expectedOf(10, fewer.slice(1))).toBeUndefined()
  })

  test('takes quantiles in proportion between two values', () => {
    expect([0, 0.25, 0.5, 1].map((share) => quantile([1, 2, 4], share))).toEqual([1, 1.5, 2, 4])
  })
})

describe.each(dialects)('the history of forecasts on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'anything' })
  const { appId } = world.account

  /** On each of the last days a forecast of three days was made, of 1,000 fewer for each day ahead; `more` came. */
  async function history(days: number, more: (daysAgo: number) => number): Promise<void> {
    for (let daysAgo = 1; daysAgo <= days; daysAgo++) {
      const slot = addDays(TODAY, -daysAgo)
      await world.db('wx_job_run').insert({
        job: 'remind',
        app_id: appId,
        slot,
        triggered_by: 'cron',
        state: 'done',
        delivered: 10_000 + more(daysAgo),
        started_at: 1,
        updated_at: 1,
      })
      for (const position of [1, 2, 3])
        await world.db('wx_forecast_day').insert({
          app_id: appId,
          made_on: slot,
          day: addDays(slot, position),
          position,
          reachable: 10_000 - 1_000 * position,
          permits_left: 0,
          going_dark: 0,
          as_of: 1,
        })
    }
  }
  const forecast = () => findForecast(world.db, world.account, { days: 4 }, NOW)

  test('tells what to expect, by how many firings ahead', async () => {
    await world.has(users(1, 50).permits(4))
    await history(10, () => 0)
    const { days } = await forecast()
    expect(days.map(({ reachable }) => reachable)).toEqual([50, 50, 50, 50])
    expect(days.map(({ expected }) => expected)).toEqual([1_050, 2_050, 3_050, null])
    // At ten sharp, today's firing is the next one.
    expect(days[0]).toMatchObject({ expected_low: 1_050, expected_high: 1_050 })
  })

  test('says nothing from days on which the run did not end as done', async () => {
    await history(10, () => 0)
    await world.db('wx_job_run').update({ state: 'halted' })
    expect((await forecast()).days.map(({ expected }) => expected)).toEqual([null, null, null, null])
  })

  test('says nothing from days of more than two weeks ago', async () => {
    await history(16, (daysAgo) => (daysAgo > 14 ? 1_000_000 : 0))
    expect((await forecast()).days[0]).toMatchObject({ expected: 1_000, expected_high: 1_000 })
  })

  test('is tested by what was known when each forecast was made', async () => {
    await history(30, (daysAgo) => (daysAgo % 2 === 0 ? 100 : -100))
    const { from, to, rows } = await backTest(world.db, world.account, NOW)
    expect(to).toBe(toIsoDate(addDays(TODAY, -1)))
    // The first three outcomes are needed to begin, the first of them of the day after the oldest forecast.
    expect(from).toBe(toIsoDate(addDays(TODAY, -26)))
    expect(rows.map(({ firings_ahead, days }) => [firings_ahead, days])).toEqual([
      [1, 26],
      [2, 24],
      [3, 22],
    ])
    for (const { error_percent, within_band_percent } of rows) {
      expect(error_percent).toBeGreaterThan(0)
      expect(error_percent).toBeLessThan(2.1)
      expect(within_band_percent).toBeGreaterThan(90)
    }
    expect(rows.map(({ reachable_error_percent }) => Math.round(reachable_error_percent))).toEqual([
      10, 20, 30,
    ])
  })
})
