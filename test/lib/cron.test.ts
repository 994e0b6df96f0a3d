import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addDays, businessDate } from '../../src/lib/business-date.js'
import { firingsOn, parseCron } from '../../src/lib/cron.js'
import { HOUR_MS } from '../helpers/constants.js'

describe('a cron expression', () => {
  /** Days of January 2026 that match; the 1st is a Thursday. */
  const daysOf = (text: string) => {
    const cron = parseCron(text)
    return Array.from({ length: 31 }, (_, i) => i + 1).filter((day) => cron.matchesDay(20260100 + day))
  }

  test.each([
    ['0 10 * * *', [0], [10]],
    ['*/20 9-10 * * *', [0, 20, 40], [9, 10]],
    ['5,35 22 * * MON', [5, 35], [22]],
    ['  30  7 * * *  ', [30], [7]],
  ])('"%s" has its minutes and hours', (text, minutes, hours) => {
    expect(parseCron(text)).toMatchObject({ minutes, hours })
  })

  test.each([
    ['0 10 1,15 * *', [1, 15]],
    ['0 10 * * 1', [5, 12, 19, 26]],
    ['0 10 * * MON-FRI', [1, 2, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 19, 20, 21, 22, 23, 26, 27, 28, 29, 30]],
    ['0 10 * * 0', [4, 11, 18, 25]],
    ['0 10 * * 7', [4, 11, 18, 25]],
    ['0 10 L * *', [31]],
    ['0 10 ? * 1', [5, 12, 19, 26]],
    ['0 10 * FEB *', []],
  ])('"%s" matches its days', (text, days) => {
    expect(daysOf(text)).toEqual(days)
  })

  test('a cron expression with a day and a weekday matches either, as in cron(5)', () => {
    expect(daysOf('0 10 1 * 1')).toEqual([1, 5, 12, 19, 26])
    expect(daysOf('0 10 13 * FRI')).toEqual([2, 9, 13, 16, 23, 30])
  })

  test.each([
    '',
    '0 10 * *',
    '0 0 10 * * *',
    '@daily',
    '60 10 * * *',
    '0 24 * * *',
    '0 10 0 * *',
    '0 10 32 * *',
    '0 10 31 2 *',
    '0 10 * 13 *',
    '0 10 * * 8',
    'a b c d e',
    '0 22-2 * * *',
    // Extensions of the parser that would never fire, fire on other days, or at another minute at each look.
    '0 10 * * 5L',
    '0 10 * * 1#2',
    'H 10 * * *',
    '0 H(9-11) * * *',
    '5/20 * * * *',
  ])('"%s" is refused', (text) => {
    expect(() => parseCron(text)).toThrow()
  })
})

describe('firings', () => {
  const firings = (text: string, date: number, zone: string) =>
    firingsOn(parseCron(text), date, zone).map((time) => new Date(time).toISOString().slice(0, 16))

  test('firings of a day are in order', () => {
    expect(firings('*/30 9,8 * * *', 20261120, 'Asia/Shanghai')).toEqual([
      '2026-11-20T00:00',
      '2026-11-20T00:30',
      '2026-11-20T01:00',
      '2026-11-20T01:30',
    ])
  })

  test('firings that a gap skips come after it, once', () => {
    expect(firings('30 2 * * *', 20260308, 'America/New_York')).toEqual(['2026-03-08T07:30'])
    expect(firings('0 2,3 * * *', 20260308, 'America/New_York')).toEqual(['2026-03-08T07:00'])
  })

  test('firings at a time that comes twice come once', () => {
    expect(firings('30 1 * * *', 20261101, 'America/New_York')).toEqual(['2026-11-01T05:30'])
    expect(firings('0 * * * *', 20261101, 'America/New_York')).toHaveLength(24)
  })

  test('firings on a day that the zone left out do not come', () => {
    expect(firings('0 10 * * *', 20111230, 'Pacific/Apia')).toEqual([])
    expect(firings('0 10 * * *', 20111229, 'Pacific/Apia')).toEqual(['2011-12-29T20:00'])
    expect(firings('0 10 * * *', 20111231, 'Pacific/Apia')).toEqual(['2011-12-30T20:00'])
  })

  test('firings at 10:00 come exactly once on each day that a zone has, in all zones from 2000 to 2035', {
    tags: ['long'],
  }, () => {
    const daily = parseCron('0 10 * * *')
    const month = fc.record({
      zone: fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
      year: fc.integer({ min: 2000, max: 2035 }),
      month: fc.integer({ min: 1, max: 12 }),
    })
    fc.assert(
      fc.property(month, ({ zone, year, month }) => {
        const calendar = createCalendar(zone)
        const first = year * 10_000 + month * 100 + 1
        const days = daysSeen(calendar, year, month)
        for (let date = first; Math.floor(date / 100) === year * 100 + month; date = addDays(date, 1)) {
          const times = firingsOn(daily, date, zone)
          expect(times).toHaveLength(days.has(date) ? 1 : 0)
          for (const time of times) {
            expect(calendar(time)).toEqual({ date, clock: '10:00' })
            expect(businessDate(time, zone)).toBe(date)
          }
        }
      }),
      {
        numRuns: 150,
        examples: [
          [{ zone: 'Pacific/Apia', year: 2011, month: 12 }],
          [{ zone: 'Pacific/Fakaofo', year: 2011, month: 12 }],
          [{ zone: 'America/Sao_Paulo', year: 2017, month: 10 }],
          [{ zone: 'Asia/Pyongyang', year: 2018, month: 5 }],
          [{ zone: 'Antarctica/Troll', year: 2026, month: 3 }],
        ],
      },
    )
  })

  type Calendar = (time: number) => { date: number; clock: string }

  /** Local day and clock as ICU shows them, and not luxon, which the code asks. */
  function createCalendar(zone: string): Calendar {
    const format = new Intl.DateTimeFormat('sv-SE', {
      timeZone: zone,
      dateStyle: 'short',
      timeStyle: 'short',
    })
    return (time) => {
      const [date = '', clock = ''] = format.format(time).split(' ')
      return { date: Number(date.replaceAll('-', '')), clock }
    }
  }

  function daysSeen(calendar: Calendar, year: number, month: number): Set<number> {
    const seen = new Set<number>()
    const [from, to] = [Date.UTC(year, month - 1, 0), Date.UTC(year, month, 2)]
    for (let time = from; time < to; time += 6 * HOUR_MS) seen.add(calendar(time).date)
    return seen
  }
})
