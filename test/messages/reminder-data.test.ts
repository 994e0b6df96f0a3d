import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addDays } from '../../src/lib/business-date.js'
import { parseReminderData, readReminderData } from '../../src/messages/reminder-data.js'
import { renderReminder } from '../../src/messages/text.js'
import { dataProblem } from '../../src/sandbox/message-data.js'

const STREAKS = [
  { min_streak: 30, text: '已连续签到{streak}天，太棒了' },
  { min_streak: 2, text: '已连续签到{streak}天' },
  { text: '今天开始签到吧' },
]

test('it is read as it is', () => {
  const data = { keyword1: '日领积分', k: '{date}', thing2: STREAKS }
  expect(parseReminderData(JSON.stringify(data))).toEqual(data)
  expect(readReminderData(data)).toEqual(data)
})

test('alternatives that say the same are one card, however their properties are ordered', () => {
  const other = [{ text: 'a', min_streak: 2 }, { text: 'b' }]
  const data = readReminderData({ k: other })
  expect(JSON.stringify(data)).toBe('{"k":[{"min_streak":2,"text":"a"},{"text":"b"}]}')
})

describe('refused with the reason is', () => {
  const BAD: [string, RegExp][] = [
    ['not JSON', /JSON/],
    ['[]', /JSON object/],
    ['null', /JSON object/],
    ['"text"', /JSON object/],
    ['{"keyword1":3}', /"keyword1" must be a non-empty text, or alternatives/],
    ['{"keyword1":""}', /"keyword1" must be a non-empty text/],
    ['{"keyword1":"  "}', /"keyword1" " {2}" must not be empty/],
    ['{"keyword1":"{streaks}"}', /"keyword1" has {streaks}; known are {streak}, {date}, {weekday}/],
    ['{"keyword1":"{constructor}"}', /{constructor}/],
    ['{"__proto__":"x"}', /not a key of a template/],
    ['{"事":"x"}', /not a key of a template/],
    [
      '{"thing1":"一二三四五六七八九十一二三四五六七八九十一"}',
      /"thing1" "一.*一" must be at most 20 characters \(it has 21/,
    ],
    ['{"thing1":"一\\n二"}', /"thing1".*line breaks/],
    ['{"phrase1":"第{streak}天"}', /"phrase1" "第{streak}天", said as "第0天", must be at most 5 Chinese/],
    ['{"date1":"{date} {weekday}"}', /"date1".*said as "2026.11.16 星期一", must be a day/],
    [
      '{"thing1":"坚持了{streak}天啦，今天也来签到领积分吧"}',
      /said as "坚持了10000天.*\(it has 2\d characters\)/,
    ],
    ['{"thing1":[]}', /alternatives such as/],
    ['{"thing1":[{"text":"a","min_streak":2}]}', /needs a last alternative without min_streak/],
    ['{"thing1":[{"text":"a"},{"text":"b"}]}', /"thing1" says "a" to everybody/],
    ['{"thing1":[{"min_streak":2,"text":"a"},{"min_streak":5,"text":"b"},{"text":"c"}]}', /never says "b"/],
    ['{"thing1":[{"min_streak":2,"text":"a"},{"min_streak":2,"text":"b"},{"text":"c"}]}', /never says "b"/],
    ['{"thing1":[{"min_streak":0,"text":"a"},{"text":"b"}]}', /min_streak that is not a whole number/],
    ['{"thing1":[{"min_streak":1.5,"text":"a"},{"text":"b"}]}', /min_streak that is not a whole number/],
    ['{"thing1":[{"min_streak":"2","text":"a"},{"text":"b"}]}', /min_streak that is not a whole number/],
    [
      '{"thing1":[{"minStreak":2,"text":"a"},{"text":"b"}]}',
      /"minStreak" in an alternative; known are min_streak, text/,
    ],
    ['{"thing1":[{"min_streak":2},{"text":"b"}]}', /alternative without a text/],
    ['{"thing1":["a"]}', /must have alternatives/],
    ['{"thing1":[null]}', /must have alternatives/],
    ['{"thing1":[{"min_streak":2,"text":"a"},{"text":""}]}', /must be a non-empty text/],
  ]
  test.each(BAD)('%s', (json, reason) => {
    expect(() => parseReminderData(json)).toThrow(reason)
  })

  test('all that is wrong, at once', () => {
    expect(() => readReminderData({ thing1: '', phrase2: 'ok', thing3: '好' })).toThrow(
      /"thing1".*; "phrase2"/,
    )
  })
})

test('a text is checked with the streaks of those who read it, not with all', () => {
  const data = { phrase1: '连续签到', number2: [{ min_streak: 1, text: '{streak}' }, { text: '1' }] }
  expect(readReminderData(data)).toEqual(data)
  const long = {
    thing1: [{ min_streak: 10, text: '你真棒' }, { text: '{streak}天，今天也来签到领取双倍积分和奖品吧啊' }],
  }
  expect(readReminderData(long)).toEqual(long)
  expect(() => readReminderData({ thing1: long.thing1[1]?.text })).toThrow(/said as "10天/)
})

const TEXTS = [
  '签',
  '到',
  '{streak}',
  '{date}',
  '{weekday}',
  'a',
  '1',
  '.',
  ':',
  '~',
  ' ',
  '-',
  '¥',
  '元',
  '😀',
  '\n',
  '月',
]
const text = fc
  .array(fc.constantFrom(...TEXTS), { minLength: 1, maxLength: 22 })
  .map((parts) => parts.join(''))
const value = fc.oneof(
  text,
  fc
    .tuple(
      fc.uniqueArray(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 3 }),
      fc.array(text, { minLength: 4, maxLength: 4 }),
    )
    .map(([from, texts]) => [
      ...from.sort((a, b) => b - a).map((min_streak, i) => ({ min_streak, text: texts[i] ?? '签' })),
      { text: texts[3] ?? '签' },
    ]),
)
const KEYS = [
  'thing1 number1 letter1 symbol1 character_string1 time1 date1 amount1 phone_number1 car_number1 name1 phrase1 keyword1',
].flatMap((keys) => keys.split(' '))

test('what was read is what the sandbox takes, on every day and for every streak', () => {
  let read = 0
  fc.assert(
    fc.property(
      fc.constantFrom(...KEYS),
      value,
      fc.integer({ min: -5, max: 2_000_000 }),
      fc.integer({ min: 0, max: 4_000 }),
      (key, said, streak, days) => {
        let data: ReturnType<typeof readReminderData>
        try {
          data = readReminderData({ [key]: said })
        } catch {
          return
        }
        read++
        const facts = { date: addDays(20_260_101, days), streak }
        for (const each of [streak, streak % 400])
          expect(dataProblem([key], renderReminder(data, { ...facts, streak: each }))).toBeUndefined()
      },
    ),
    { numRuns: 3_000 },
  )
  expect(read).toBeGreaterThan(200)
})
