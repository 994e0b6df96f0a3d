import { describe, expect, test } from 'vitest'
import { parseReminderData, renderReminder } from '../../src/messages/text.js'

describe('the text of a reminder', () => {
  const facts = { date: 20_261_120, streak: 3 }

  test('says streak, date and weekday where the placeholders stand', () => {
    const data = { keyword1: '日领积分', keyword2: '已经连续答题{streak}天', keyword4: '{date} {weekday}' }
    expect(renderReminder(data, facts)).toEqual({
      keyword1: { value: '日领积分' },
      keyword2: { value: '已经连续答题3天' },
      keyword4: { value: '2026.11.20 星期五' },
    })
  })

  test('fills a placeholder as often as it stands there', () => {
    expect(renderReminder({ a: '{streak}/{streak}' }, facts)).toEqual({ a: { value: '3/3' } })
  })

  test('says 0 days to somebody whose streak is broken', () => {
    expect(renderReminder({ a: '{streak}' }, { ...facts, streak: 0 })).toEqual({ a: { value: '0' } })
  })

  test.each([
    [20_260_101, '2026.01.01 星期四'],
    [20_280_229, '2028.02.29 星期二'],
    [20_261_231, '2026.12.31 星期四'],
  ])('writes the day %i as %s', (date, text) => {
    expect(renderReminder({ a: '{date} {weekday}' }, { date, streak: 1 })).toEqual({ a: { value: text } })
  })

  test('leaves characters alone that mean something to a replacement', () => {
    expect(renderReminder({ a: "$& $1 $' {streak}" }, facts)).toEqual({ a: { value: "$& $1 $' 3" } })
  })
})

describe('REMINDER_DATA', () => {
  test('REMINDER_DATA is read as it is', () => {
    expect(parseReminderData('{"keyword1":"日领积分","k":"{date}"}')).toEqual({
      keyword1: '日领积分',
      k: '{date}',
    })
  })

  test.each([
    ['not JSON', /JSON/],
    ['[]', /JSON object/],
    ['null', /JSON object/],
    ['"text"', /JSON object/],
    ['{"keyword1":3}', /"keyword1" must be a non-empty text/],
    ['{"keyword1":""}', /"keyword1" must be a non-empty text/],
    ['{"keyword1":"{streaks}"}', /"keyword1" has {streaks}; known are {streak}, {date}, {weekday}/],
    ['{"keyword1":"{constructor}"}', /{constructor}/],
  ])('%s is refused with the reason', (text, reason) => {
    expect(() => parseReminderData(text)).toThrow(reason)
  })
})
