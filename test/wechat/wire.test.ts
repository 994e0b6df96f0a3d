import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toWire } from '../../src/wechat/wire.js'

test('ordinary text goes out as it is', () => {
  expect(toWire({ value: '签到"提醒"\\n🎉' })).toBe('{"value":"签到\\"提醒\\"\\\\n🎉"}')
})

test('half an emoji becomes a replacement character, a control character is left out', () => {
  expect(toWire({ value: `昵称${'🎉'.slice(0, 1)}\u0007!` })).toBe('{"value":"昵称\ufffd!"}')
})

test('text that only looks like an escape stays', () => {
  const value = '\\u0041 \\\\u0041 \u0001'
  expect(JSON.parse(toWire({ value }))).toEqual({ value: '\\u0041 \\\\u0041 ' })
})

test('no text makes an escape that WeChat refuses, and no JSON is broken by it', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('\\', 'u', '0', 'a', '"', '\ud83c', '\udf89', '\u0002', '好') }),
      (value) => {
        const wire = toWire({ value })
        expect(wire.replaceAll('\\\\', '')).not.toMatch(/\\u/)
        const wellFormed = Buffer.from(value, 'utf8').toString('utf8')
        expect(JSON.parse(wire)).toEqual({ value: wellFormed.replaceAll('\u0002', '') })
      },
    ),
  )
})
