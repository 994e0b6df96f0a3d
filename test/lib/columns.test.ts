import fc from 'fast-check'
import { expect, test } from 'vitest'
import { columnsOf, padColumns, wrapColumns } from '../../src/lib/columns.js'

test.each([
  ['', 0],
  ['abc', 3],
  ['签到', 4],
  ['第3天', 5],
  ['，。！', 6],
  ['😀', 2],
  ['👨‍👩‍👧‍👦', 2],
  ['🇨🇳', 2],
  ['❤️', 2],
  ['e\u0301', 1],
  ['a\u200bb', 2],
  ['…·', 2],
  ['한글', 4],
  ['𠮷', 2],
])('%s takes %i columns', (text, columns) => {
  expect(columnsOf(text)).toBe(columns)
  expect(columnsOf(padColumns(text, 10))).toBe(10)
})

test('a text is broken where it is too wide, and at its line breaks', () => {
  expect(wrapColumns('今天开始签到吧', 6)).toEqual(['今天开', '始签到', '吧'])
  expect(wrapColumns('一\n二', 6)).toEqual(['一', '二'])
  expect(wrapColumns('', 6)).toEqual([''])
})

test('no line is wider than it may be, and nothing gets lost', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 80 }),
      fc.integer({ min: 2, max: 40 }),
      (text, columns) => {
        const lines = wrapColumns(text, columns)
        expect(lines.join('')).toBe(text.replaceAll('\n', ''))
        for (const line of lines) expect(columnsOf(line)).toBeLessThanOrEqual(columns)
      },
    ),
  )
})
