import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parsePush } from '../../src/callbacks/parse.js'
import { parseLossless } from '../../src/lib/lossless-json.js'
import { calculated } from '../helpers/stopwatch.js'

const plain = (text: string): unknown => JSON.parse(JSON.stringify(parsePush(text) ?? null))

describe('a push in XML', () => {
  test('gives every value as text', () => {
    const text =
      '<xml><ToUserName><![CDATA[gh_1]]></ToUserName><CreateTime>1620973045</CreateTime>' +
      '<MsgId>4561255354251345929</MsgId><a>1e5</a><b>007</b><c>true</c><d></d><e/></xml>'
    expect(plain(text)).toEqual({
      ToUserName: 'gh_1',
      CreateTime: '1620973045',
      MsgId: '4561255354251345929',
      a: '1e5',
      b: '007',
      c: 'true',
      d: '',
      e: '',
    })
  })

  test('gives one List as an object, several as an array', () => {
    expect(plain('<xml><W><List><T>1</T></List></W></xml>')).toEqual({ W: { List: { T: '1' } } })
    expect(plain('<xml><W><List><T>1</T></List><List><T>2</T></List></W></xml>')).toEqual({
      W: { List: [{ T: '1' }, { T: '2' }] },
    })
  })

  test('a push in XML may begin with a byte order mark, blanks and a declaration', () => {
    expect(plain('\ufeff \n<?xml version="1.0" encoding="UTF-8"?>\n<xml><a>1</a></xml>\n')).toEqual({
      a: '1',
    })
  })

  test('keeps what CDATA holds, markup included', () => {
    expect(plain('<xml><a><![CDATA[<b>&lt;</b> ]]></a></xml>')).toEqual({ a: '<b>&lt;</b> ' })
    expect(plain('<xml><a><![CDATA[<!DOCTYPE html>]]></a></xml>')).toEqual({ a: '<!DOCTYPE html>' })
  })

  test('expands no entity', () => {
    expect(plain('<xml><a>&amp;&#65;&lol;</a></xml>')).toEqual({ a: '&amp;&#65;&lol;' })
  })

  test.each([
    [
      'an entity bomb',
      `<!DOCTYPE x [<!ENTITY a "${'a'.repeat(99)}"><!ENTITY b "&a;&a;&a;">]><xml><q>&b;</q></xml>`,
    ],
    ['a file as an entity', '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><q>&a;</q></xml>'],
    ['a DOCTYPE after the declaration', '<?xml version="1.0"?><!DOCTYPE xml><xml><q>1</q></xml>'],
    ['a DOCTYPE inside the root', '<xml><!DOCTYPE x [<!ENTITY a "b">]><q>1</q></xml>'],
    ['a DOCTYPE after the root', '<xml><q>1</q></xml><!DOCTYPE xml>'],
    [
      'a DOCTYPE that a comment seems to hide',
      '<xml><!-- <![CDATA[ --><!DOCTYPE x><!-- ]]> --><q>1</q></xml>',
    ],
    ['tags that are not closed', '<xml><a>1'],
    ['tags that cross', '<xml><a>1</b></xml>'],
    ['two roots', '<xml><a>1</a></xml><xml></xml>'],
    ['another root', '<html><a>1</a></html>'],
    ['text alone', '<xml>hello</xml>'],
    ['deep nesting', `<xml>${'<a>'.repeat(1_000)}${'</a>'.repeat(1_000)}</xml>`],
    ['__proto__', '<xml><__proto__><admin>1</admin></__proto__></xml>'],
    ['an open comment', `<xml>${'<!-- '.repeat(10_000)}</xml>`],
    ['brackets', '<'.repeat(60_000)],
    ['brackets and a name', '<xml><a x="'.repeat(5_000)],
  ])('is refused: %s', async (_, text) => {
    const { result, ms } = await calculated(() => parsePush(text))
    expect(result).toBeUndefined()
    expect(ms).toBeLessThan(2_000)
    expect({}).not.toHaveProperty('admin')
  })
})

describe('a push in JSON', () => {
  test('keeps the 19 digits of an id, as number and as text', () => {
    expect(plain('{"MsgID":4561255354251345929,"n":-1.50e+3,"s":"4561255354251345929"}')).toEqual({
      MsgID: '4561255354251345929',
      n: '-1.50e+3',
      s: '4561255354251345929',
    })
  })

  test('leaves digits inside of text alone', () => {
    const text = String.raw`{"a 1":"x: 12, \"34\": 56 \\","b":[1,"2 [3]",{"c":4}]}`
    expect(plain(text)).toEqual({ 'a 1': 'x: 12, "34": 56 \\', b: ['1', '2 [3]', { c: '4' }] })
  })

  test('gives true, false and null as text', () => {
    expect(plain('{"a":true,"b":false,"c":null}')).toEqual({ a: 'true', b: 'false', c: '' })
  })

  test('a push in JSON has a field called __proto__ as a field', () => {
    const fields = parsePush('{"__proto__":{"admin":1},"constructor":2}')
    expect(Object.keys(fields ?? {})).toEqual(['__proto__', 'constructor'])
    expect({}).not.toHaveProperty('admin')
  })

  test.each([
    ['a number as a name', '{1:2}'],
    ['leading zeros', '{"a":01}'],
    ['an end too early', '{"a":1'],
    ['a comma too many', '{"a":1,}'],
    ['text after it', '{"a":1}{}'],
    ['a list', '[1]'],
    ['a number', '1'],
    ['nothing', ''],
    ['blanks', ' \n'],
    ['text', 'hello'],
    ['deep nesting', `{"a":${'['.repeat(20)}${']'.repeat(20)}}`],
    ['very deep nesting', `{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`],
  ])('is refused: %s', (_, text) => {
    expect(parsePush(text)).toBeUndefined()
  })

  test('any JSON is read as JSON.parse would, but for its numbers', () => {
    const asText = (value: unknown): unknown => {
      if (value === null) return ''
      if (Array.isArray(value)) return value.map(asText)
      if (typeof value !== 'object') return typeof value === 'string' ? value : JSON.stringify(value)
      return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, asText(each)]))
    }
    fc.assert(
      fc.property(fc.json({ maxDepth: 5, stringUnit: 'grapheme' }), (text) => {
        const value: unknown = JSON.parse(text)
        expect(JSON.parse(JSON.stringify(parseLossless(text, 10)))).toEqual(asText(value))
      }),
    )
  })

  test('any whole number keeps its digits', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), (n) => {
        expect(plain(`{"id": ${n} }`)).toEqual({ id: n.toString() })
      }),
    )
  })
})

test('no text makes the parser throw or change what all objects share', () => {
  const unit = fc.constantFrom(
    '<',
    '>',
    '/',
    'xml',
    '!',
    '[',
    ']',
    '{',
    '}',
    '"',
    ':',
    'CDATA',
    '__proto__',
    '&',
    '1',
    ' ',
  )
  fc.assert(
    fc.property(fc.constantFrom('{"', '<xml>'), fc.string({ unit, maxLength: 60 }), (begin, rest) => {
      parsePush(begin + rest)
      expect(Object.keys(Object.prototype)).toEqual([])
    }),
  )
})
