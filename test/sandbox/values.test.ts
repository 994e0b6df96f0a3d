import { describe, expect, it } from 'vitest'
import { dataProblem } from '../../src/sandbox/message-data.js'
import { toTemplate } from '../../src/sandbox/templates.js'

/** Values that the page of the subscribe message allows and forbids, by the letters of the key. */
const CASES: Record<string, { right: string[]; wrong: string[] }> = {
  thing1: { right: ['日领积分 a1!', '一'.repeat(20)], wrong: ['一'.repeat(21), 'two\nlines', 'a\tb'] },
  const1: { right: ['签到'], wrong: ['一'.repeat(21)] },
  number1: { right: ['3', '0.5', '9'.repeat(32)], wrong: ['三', '-1', '+1', '1,000', '9'.repeat(33), '3天'] },
  letter1: { right: ['abc', 'A'.repeat(32)], wrong: ['a1', 'a b', '字', 'A'.repeat(33)] },
  symbol1: { right: ['!?', '￥%'], wrong: ['!!!!!!', 'a', '1', '字'] },
  character_string1: { right: ['A-1_b', 'a'.repeat(32)], wrong: ['编号1', 'a'.repeat(33), 'a\nb'] },
  time1: {
    right: ['15:01', '09:30:59', '2019年10月1日 15:01', '2026-03-02 08:00', '08:00~20:00', '08:00 ~ 20:00'],
    wrong: ['24:00', '12:60', '2026-03-02', '8点', '15:01 大约', '08:00~20:00~22:00', '下午3:00'],
  },
  date1: {
    right: [
      '2019年10月1日',
      '2018-01-01',
      '2018/1/1',
      '2018.01.01',
      '2018-01',
      '01-01',
      '10月1日',
      '2019年10月',
    ],
    wrong: ['2018-13-01', '2018-01-32', '2018/01-01', '今天', '15:01', '2018', '2018-01-01T00:00', '01/01'],
  },
  date2: {
    right: ['2019年10月1日 15:01', '2018-01-01 15:01:02', '2018-01-01~2018-01-03'],
    wrong: ['2018-01-01 25:00'],
  },
  amount1: {
    right: ['100', '¥100.5', '￥20元', '$1234567890'],
    wrong: ['12345678901', 'CNY100', '¥¥1', '十元'],
  },
  phone_number1: {
    right: ['+86-0766-66888866', '10086'],
    wrong: ['1'.repeat(18), '电话10086', '100 86', '+-'],
  },
  car_number1: { right: ['粤A8Z888挂', '粤A8Z888'], wrong: ['粤A8Z88888', '粤粤A8Z88', '粤A-8Z88'] },
  name1: {
    right: ['张三', '一'.repeat(10), 'John Smith', 'a'.repeat(20), '小明tom'],
    wrong: ['一'.repeat(11), 'a'.repeat(21), '小明12', '小明abcdefghi'],
  },
  phrase1: { right: ['未签到', '一二三四五'], wrong: ['一二三四五六', '13笔', 'abc', '签到!'] },
  keyword1: { right: ['anything\nat all', '一'.repeat(300)], wrong: [] },
}

const TEXTS = Object.entries(CASES).flatMap(([key, { right, wrong }]) => [
  ...right.map((text) => [key, text, undefined] as const),
  ...wrong.map((text) => [key, text, `data.${key}.value invalid`] as const),
])

describe('a value of a message', () => {
  it.each(TEXTS)('%s: %j is %s', (key, text, problem) => {
    expect(dataProblem([key], { [key]: { value: text } })).toBe(problem)
  })

  const keys = ['thing1', 'enum_string2']
  const enums = { enum_string2: ['客厅', '厨房'] }
  const data = { thing1: { value: 'a' }, enum_string2: { value: '客厅' } }

  it('of an enumeration is one of its list', () => {
    expect(dataProblem(keys, data, enums)).toBeUndefined()
    expect(dataProblem(keys, { ...data, enum_string2: { value: '花园' } }, enums)).toBe(
      'data.enum_string2.value invalid',
    )
  })

  it.each([
    ['a missing key', { enum_string2: { value: '客厅' } }],
    ['an empty value', { ...data, thing1: { value: '' } }],
    ['blanks alone', { ...data, thing1: { value: '  ' } }],
    ['a value that is no text', { ...data, thing1: { value: null } }],
    ['a key without a value', { ...data, thing1: 'a' }],
    ['data as a JSON string', JSON.stringify(data)],
    ['no data', undefined],
  ])('is called empty for %s', (_, wrong) => {
    expect(dataProblem(keys, wrong, enums)).toBe('data.thing1.value is empty')
  })

  it('of a key that the template does not have is ignored', () => {
    expect(dataProblem(keys, { ...data, thing9: { value: '' } }, enums)).toBeUndefined()
  })
})

describe('a template', () => {
  it('takes its keys from its content, with blanks or without', () => {
    const { keys } = toTemplate('t', { content: '事项:{{thing1.DATA}}\n日期:{{ date2.DATA }}\n' }, undefined)
    expect(keys).toEqual(['thing1', 'date2'])
  })

  it('needs keys or content', () => {
    expect(() => toTemplate('t', { title: 'x' }, undefined)).toThrow('template t needs keys or content')
  })
})
