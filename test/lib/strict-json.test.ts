import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { JsonFault, parseStrictJson } from '../../src/lib/strict-json.js'

/** What JSON.parse makes of a text, or undefined. */
function parsed(text: string): { json: unknown } | undefined {
  try {
    return { json: JSON.parse(text) }
  } catch {
    return undefined
  }
}

function faultOf(text: string): string {
  try {
    parseStrictJson(text)
  } catch (error) {
    if (error instanceof JsonFault) return error.message
    throw error
  }
  throw new Error('it was read')
}

test('what JSON writes is read as it was', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(0, 2, '\t'), (value, indent) => {
      const text = JSON.stringify(value, null, indent)
      expect(JSON.stringify(parseStrictJson(text))).toBe(JSON.stringify(value))
    }),
  )
})

test('any text is read as JSON.parse reads it, or refused where it refuses', () => {
  const part = fc.constantFrom(
    ...['{', '}', '[', ']', ',', ':', '"a"', '"b"', '"', '\\', '1', '-', '.5', 'e9', '0', 'true', 'nul', ' '],
    ...['\n', '\u00a0', '"\\u00e9"', '"\\x"', '\t', '\u0001', '\ufeff'],
  )
  const soup = fc.array(part, { maxLength: 9 }).map((parts) => parts.join(''))
  const nearly = fc
    .tuple(fc.json({ maxDepth: 3 }), fc.nat(), part)
    .map(
      ([text, at, more]) => text.slice(0, at % (text.length + 1)) + more + text.slice(at % (text.length + 1)),
    )
  fc.assert(
    fc.property(fc.oneof(soup, nearly), (text) => {
      const expected = parsed(text)
      let read: { json: unknown } | undefined
      let fault = ''
      try {
        read = { json: parseStrictJson(text) }
      } catch (error) {
        if (!(error instanceof JsonFault)) throw error
        fault = error.message
      }
      if (/second time|too large/.test(fault)) return
      expect(JSON.stringify(read), fault).toBe(JSON.stringify(expected))
    }),
    { numRuns: 2_000 },
  )
})

describe('a fault is told with its line and column', () => {
  test.each([
    ['', 'line 1, column 1: expected a value'],
    ['{"a":1,\n "a":2}', 'line 2, column 2: "a" stands here a second time'],
    ['{"__proto__":1,"__proto__":2}', 'line 1, column 16: "__proto__" stands here a second time'],
    ['{"a":1,\r\n}', 'line 2, column 1: expected a name in double quotes'],
    ['[1,]', 'line 1, column 4: expected a value'],
    ['[1 2]', 'line 1, column 4: expected , or ]'],
    ['{"a" 1}', 'line 1, column 6: expected :'],
    ['{"a":1', 'line 1, column 7: expected , or }, not the end'],
    ["{'a':1}", 'line 1, column 2: expected a name in double quotes'],
    ['{"a":tru}', 'line 1, column 6: expected a value'],
    ['"a\nb"', 'line 1, column 1: a text does not end, or has a bad sign'],
    ['{"a":1}\n// no comments', 'line 2, column 1: expected the end'],
    ['1e999', 'line 1, column 1: is too large a number'],
    [`${'['.repeat(40)}`, 'line 1, column 34: is nested too deeply'],
  ])('%j', (text, fault) => {
    expect(faultOf(text)).toBe(fault)
  })

  test('and without anything of the text around it', () => {
    expect(faultOf('{"app_secret":"b1946ac92492d2347c6235b4d2611184" "x":1}')).not.toContain('b1946')
    expect(faultOf('{"app_secret":b1946ac92492d2347c6235b4d2611184}')).not.toContain('b1946')
  })
})

test('a long text does not exhaust the stack', () => {
  const long = 'ä"\\n'.repeat(1_000_000)
  expect(parseStrictJson(JSON.stringify({ long }))).toEqual({ long })
})
