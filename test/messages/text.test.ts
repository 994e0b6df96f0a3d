import { describe, expect, test } from 'vitest'
import { literalTexts, reminderRenderer, renderReminder } from '../../src/messages/text.js'

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

  test.each([
    [0, '今天开始签到吧'],
    [1, '今天开始签到吧'],
    [2, '已连续签到2天'],
    [29, '已连续签到29天'],
    [30, '整整一个月'],
    [365, '整整一个月'],
  ])('is the first alternative that a streak of %i reaches', (streak, text) => {
    const thing2 = [
      { min_streak: 30, text: '整整一个月' },
      { min_streak: 2, text: '已连续签到{streak}天' },
      { text: '今天开始签到吧' },
    ]
    expect(renderReminder({ thing1: '每日签到', thing2 }, { ...facts, streak })).toEqual({
      thing1: { value: '每日签到' },
      thing2: { value: text },
    })
  })

  test('says no streak below 0 or above 99999, whatever a row says', () => {
    const render = reminderRenderer({ a: '{streak}' }, facts.date)
    expect([-3, 99_999, 100_000, 1e21].map((streak) => render(streak).a?.value)).toEqual([
      '0',
      '99999',
      '99999',
      '99999',
    ])
  })

  test('of a message without a day is said as it stands', () => {
    expect(literalTexts({ a: '{streak} {date}' })).toEqual({ a: { value: '{streak} {date}' } })
  })
})
