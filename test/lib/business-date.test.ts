import { describe, expect, test } from 'vitest'
import {
  addDays,
  businessDate,
  dayExists,
  parseIsoDate,
  timeOn,
  toIsoDate,
} from '../../src/lib/business-date.js'

const utc = (text: string) => Date.parse(text)

describe('a business date', () => {
  test.each([
    ['2026-11-20T15:59:59.999Z', 'Asia/Shanghai', 20261120],
    ['2026-11-20T16:00:00Z', 'Asia/Shanghai', 20261121],
    ['2026-11-20T16:00:00Z', 'America/New_York', 20261120],
    ['2026-01-01T04:59:59Z', 'America/New_York', 20251231],
    ['2026-12-31T10:00:00Z', 'Pacific/Kiritimati', 20270101],
    ['2024-02-29T00:00:00Z', 'UTC', 20240229],
  ])('at %s in %s is %i', (time, zone, date) => {
    expect(businessDate(utc(time), zone)).toBe(date)
  })

  test.each([
    [20261231, 1, 20270101],
    [20240228, 1, 20240229],
    [20250228, 1, 20250301],
    [20240301, -1, 20240229],
    [20260101, -1, 20251231],
    [20260308, 1, 20260309],
  ])('%i plus %i days is %i', (date, days, sum) => {
    expect(addDays(date, days)).toBe(sum)
  })

  test('a business date is written and read as YYYY-MM-DD', () => {
    expect(toIsoDate(20260105)).toBe('2026-01-05')
    expect(parseIsoDate('2026-01-05')).toBe(20260105)
    expect(parseIsoDate('2024-02-29')).toBe(20240229)
  })

  test.each([
    '',
    '2026-1-5',
    '20260105',
    '2026-02-30',
    '2025-02-29',
    '2026-13-01',
    '2026-01-05T00:00',
    ' 2026-01-05',
  ])('is not read from "%s"', (text) => {
    expect(parseIsoDate(text)).toBeUndefined()
  })
})

describe('the time on a day', () => {
  test.each([
    ['on a plain day', 20261120, 10, 0, 'Asia/Shanghai', '2026-11-20T02:00:00Z'],
    ['that a gap skips is later by the gap', 20260308, 2, 30, 'America/New_York', '2026-03-08T07:30:00Z'],
    ['that comes twice is the first', 20261101, 1, 30, 'America/New_York', '2026-11-01T05:30:00Z'],
    ['of a day that begins at 01:00', 20171015, 10, 0, 'America/Sao_Paulo', '2017-10-15T12:00:00Z'],
    ['at the midnight that a gap skips', 20171015, 0, 0, 'America/Sao_Paulo', '2017-10-15T03:00:00Z'],
    ['twice, half an hour apart', 20260405, 1, 45, 'Australia/Lord_Howe', '2026-04-04T14:45:00Z'],
  ])('%s', (_, date, hour, minute, zone, time) => {
    expect(new Date(timeOn(date, hour, minute, zone)).toISOString()).toBe(new Date(time).toISOString())
  })

  test('the time on a day does not make a day that the zone left out', () => {
    expect([20111229, 20111230, 20111231].map((date) => dayExists(date, 'Pacific/Apia'))).toEqual([
      true,
      false,
      true,
    ])
    expect(dayExists(20171015, 'America/Sao_Paulo')).toBe(true)
  })
})
