import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dataProblem } from '../../src/sandbox/message-data.js'
import { checkValue, fitValue } from '../../src/wechat/template-values.js'

/** By type: what WeChat takes, and what it answers with 47003. */
const VALUES: Record<string, { takes: string[]; refuses: string[] }> = {
  thing: {
    takes: ['签', '已连续签到7天，别断了', '字'.repeat(20), '😀'.repeat(20)],
    refuses: ['字'.repeat(21)],
  },
  const: { takes: ['待取件', '字'.repeat(20)], refuses: ['字'.repeat(21)] },
  number: {
    takes: ['0', '12.5', '1'.repeat(32)],
    refuses: ['1'.repeat(33), '7天', '1,000', '-1', '1.', '.5', '１'],
  },
  letter: { takes: ['abcXYZ', 'a'.repeat(32)], refuses: ['a'.repeat(33), 'a b', '字母', 'a1'] },
  symbol: { takes: ['!', '★★★★★'], refuses: ['!!!!!!', '签', '3'] },
  character_string: { takes: ['NO.2026-11', 'a'.repeat(32)], refuses: ['a'.repeat(33), '单号 1', '…'] },
  time: {
    takes: ['15:01', '9:05:30', '2026年11月21日 15:01', '2026.11.21 09:00~2026.11.21 10:00', '09:00~10:00'],
    refuses: ['25:00', '15:60', '下午3点', '2026.11.21', '3:5'],
  },
  date: {
    takes: [
      '2026.11.21',
      '2026-1-1',
      '2026/11/21',
      '2026-11',
      '01-01',
      '2026年11月21日 15:01',
      '2026.11.21 ~ 2026.11.22',
    ],
    refuses: ['2026.11.21 星期六', '2026.13.01', '2026-11/21', '明天', '15:01', '2026.11.32'],
  },
  amount: {
    takes: ['¥10.50', '10元', '1234567890', '￥3'],
    refuses: ['12345678901', '10块', '¥¥1', '1,000'],
  },
  phone_number: { takes: ['+86-0766-66888866'], refuses: ['1'.repeat(18), '电话', '+-'] },
  car_number: { takes: ['粤A8Z888挂', '粤AD12345', 'MA1234'], refuses: ['粤A8Z8888挂', '粤A粤1', '粤'] },
  name: {
    takes: ['张三', 'Tom Hanks', 'A君', '字'.repeat(10), 'a'.repeat(20)],
    refuses: ['字'.repeat(11), 'a'.repeat(21), 'Tom88', `a${'字'.repeat(10)}`],
  },
  phrase: { takes: ['签到', '已经签到了'], refuses: ['13笔', '签到成功了吗', '签 到', 'ok'] },
  keyword: { takes: ['字'.repeat(500), '3 天'], refuses: ['一\n二'] },
  first: { takes: ['您好：\n今天还没有签到'], refuses: ['一\t二'] },
}

describe.each(Object.entries(VALUES))('a value of %s', (type, { takes, refuses }) => {
  test.each(takes)('may be %s, and stays so', (text) => {
    expect(checkValue(`${type}1`, text)).toBeUndefined()
    expect(fitValue(`${type}1`, text)).toBe(text)
  })

  test.each(refuses)('must not be %s', (text) => {
    const fault = checkValue(`${type}1`, text)
    expect(fault?.en).toMatch(/^must /)
    expect(fault?.zh).toMatch(/\p{Script=Han}/u)
  })
})

test.each(['', ' ', '\u3000', '\u200b', '\u200d\ufe0f'])(
  'nothing to see (%j) is empty, whatever the key',
  (text) => {
    for (const key of ['thing1', 'keyword1', 'remark', 'enum3', 'constructor'])
      expect(checkValue(key, text)?.en).toBe('must not be empty')
  },
)

test('half an emoji and line breaks are refused under every key', () => {
  expect(checkValue('keyword1', '签到\ud83d')?.en).toMatch(/half an emoji/)
  for (const text of ['一\n二', '一\u2028二', '一\u0000二'])
    expect(checkValue('thing1', text)?.en).toMatch(/line breaks or control characters/)
})

test('a fault says the rule and how long the value is', () => {
  expect(checkValue('thing1', '字'.repeat(23))).toEqual({
    en: 'must be at most 20 characters (it has 23 characters)',
    zh: '须为：最多 20 个字符（现有 23 个字符）',
  })
})

describe('a value that is too long', () => {
  test.each([
    ['thing1', '字'.repeat(21), `${'字'.repeat(19)}…`],
    ['thing1', '😀'.repeat(21), `${'😀'.repeat(19)}…`],
    ['character_string2', 'a'.repeat(40), `${'a'.repeat(29)}...`],
    ['name1', '欧阳欧阳欧阳欧阳欧阳娜娜', '欧阳欧阳欧阳欧阳欧阳'],
    ['name1', 'Wolfeschlegelsteinhausen', 'Wolfeschlegelsteinha'],
    ['phrase1', '签到成功了吗', '签到成功了'],
    ['letter1', 'x'.repeat(33), 'x'.repeat(32)],
    ['symbol1', '★★★★★★', '★★★★★'],
  ])('of %s is cut: %s', (key, text, fitted) => {
    expect(fitValue(key, text)).toBe(fitted)
    expect(checkValue(key, fitted)).toBeUndefined()
  })

  test.each([
    ['number1', '1'.repeat(40)],
    ['amount1', '12345678901'],
    ['phone_number1', '1'.repeat(18)],
    ['time1', '15:01:02:03'],
    ['keyword1', '字'.repeat(100)],
    ['const1', '字'.repeat(21)],
  ])('of %s is never cut', (key, text) => {
    expect(fitValue(key, text)).toBe(text)
  })

  test('is not cut inside a family, a flag or an accent', () => {
    const family = '👨‍👩‍👧‍👦'
    expect(fitValue('thing1', `${'字'.repeat(15)}${family}abc`)).toBe(`${'字'.repeat(15)}…`)
    expect(fitValue('thing1', `${'字'.repeat(18)}🇨🇳字字`)).toBe(`${'字'.repeat(18)}…`)
    expect(fitValue('thing1', `${'字'.repeat(18)}e\u0301字字`)).toBe(`${'字'.repeat(18)}…`)
  })

  test('is cut all the same where it is one character without end', () => {
    const fitted = fitValue('thing1', `e${'\u0301'.repeat(100)}`)
    expect([...fitted]).toHaveLength(20)
  })
})

const TYPES = Object.keys(VALUES).filter((type) => !['keyword', 'first'].includes(type))
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.string({ unit: fc.constantFrom(...'0123456789.¥元-:~ /年月日aA签到★!粤'), maxLength: 40 }),
  fc.constantFrom(...Object.values(VALUES).flatMap(({ takes, refuses }) => [...takes, ...refuses])),
)

test('what fits and has no fault is what the sandbox takes, whatever the text', () => {
  let passed = 0
  fc.assert(
    fc.property(fc.constantFrom(...TYPES), anyText, (type, text) => {
      const key = `${type}1`
      const fitted = fitValue(key, text)
      if (checkValue(key, fitted)) return
      passed++
      expect(dataProblem([key], { [key]: { value: fitted } })).toBeUndefined()
      expect(fitValue(key, fitted)).toBe(fitted)
    }),
    { numRuns: 3_000 },
  )
  expect(passed).toBeGreaterThan(300)
})

test('a text of any length that can be seen fits a thing, and can be seen then', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }), (text) => {
      if (checkValue('keyword1', text)) return
      expect(checkValue('thing1', fitValue('thing1', text))).toBeUndefined()
    }),
    { numRuns: 1_000 },
  )
})
