import { describe, expect, test } from 'vitest'
import { comingDays } from '../../src/summaries/coming-days.js'
import { HOUR_MS } from '../helpers/constants.js'

const times = (remindCron: string, timezone = 'Asia/Shanghai', hour = 22) => ({
  appId: 'wx1',
  timezone,
  remindCron,
  sendUntil: { hour, minute: 0 },
})
/** A Friday. */
const at = (time: string, zone = '+08:00') => Date.parse(`2026-11-20T${time}:00${zone}`)

describe('the coming days', () => {
  test('begin today until its window closes, and are counted in firings to come', () => {
    const seen = (time: string) => {
      const { from, days } = comingDays(times('0 10 * * *'), 2, at(time))
      return [from, ...days.map(({ at, position }) => [new Date(at).toISOString().slice(5, 16), position])]
    }
    expect(seen('08:00')).toEqual([20_261_120, ['11-20T02:00', 1], ['11-21T02:00', 2]])
    expect(seen('10:00')).toEqual([20_261_120, ['11-20T02:00', 1], ['11-21T02:00', 2]])
    // Permits must still be valid now; the firing is past.
    expect(seen('21:59')).toEqual([20_261_120, ['11-20T13:59', 0], ['11-21T02:00', 1]])
    expect(seen('22:00')).toEqual([20_261_121, ['11-21T02:00', 1], ['11-22T02:00', 2]])
  })

  test('go by the first of several firings of a day', () => {
    const { days } = comingDays(times('30 9,18 * * *'), 2, at('08:00'))
    expect(days.map(({ at }) => new Date(at).toISOString().slice(11, 16))).toEqual(['01:30', '01:30'])
  })

  test('keep days without a reminder, on which nobody is reached, and know the next one with', () => {
    const { days, next } = comingDays(times('0 10 * * 1-5'), 2, at('23:00'))
    expect(days.map(({ date, sends, position }) => [date, sends, position])).toEqual([
      [20_261_121, false, null],
      [20_261_122, false, null],
    ])
    expect(next).toMatchObject({ date: 20_261_123, sends: true })
  })

  test('have no reminder where the firing comes after the window', () => {
    const { days, next } = comingDays(times('0 23 * * *'), 2, at('08:00'))
    expect(days.map(({ sends }) => sends)).toEqual([false, false])
    expect(next).toBeUndefined()
  })

  test('have as many hours as the zone gives them', () => {
    // Summer time ends in New York on 2026-11-01, and begins on 2027-03-14: 02:30 is skipped.
    const firings = (cron: string, from: number, days: number) =>
      comingDays(times(cron, 'America/New_York'), days, from).days.map(({ at }) => at)
    const [saturday = 0, sunday = 0] = firings('0 10 * * *', Date.parse('2026-10-31T06:00:00Z'), 2)
    expect(sunday - saturday).toBe(25 * HOUR_MS)
    const [, gap = 0] = firings('30 2 * * *', Date.parse('2027-03-13T06:00:00Z'), 2)
    expect(new Date(gap).toISOString()).toBe('2027-03-14T07:30:00.000Z')
  })

  test('leave out a day that the zone has not', () => {
    const { days } = comingDays(times('0 10 * * *', 'Pacific/Apia'), 3, Date.parse('2011-12-29T01:00:00Z'))
    expect(days.map(({ date }) => date)).toEqual([20_111_228, 20_111_229, 20_111_231])
  })

  test('are never out of order, whatever the window', () => {
    const { days } = comingDays(times('0 0 * * 1,3', 'Asia/Shanghai', 23), 14, at('12:00'))
    expect(days.map(({ at }) => at)).toEqual(days.map(({ at }) => at).sort((a, b) => a - b))
  })
})
