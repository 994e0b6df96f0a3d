import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { maskOpenId, redact } from '../../src/lib/redact.js'

const TOKEN = '76_kQ0aB-cD_eF9'

describe('redact', () => {
  test.each([
    ['a URL', `POST https://api.weixin.qq.com/cgi-bin/x?access_token=${TOKEN}&lang=zh_CN`],
    ['a URL that ends with it', `/cgi-bin/token?grant_type=client_credential&appid=wx1&secret=${TOKEN}`],
    ['JSON', JSON.stringify({ access_token: TOKEN, expires_in: 7200 })],
    ['JSON with blanks', `{ "secret" : "${TOKEN}" }`],
    ['JSON that was cut off', `{"access_token":"${TOKEN}`],
    ['JSON with quotes inside the value', JSON.stringify({ appsecret: `"${TOKEN}\\` })],
    ['JSON inside a JSON string', JSON.stringify({ body: JSON.stringify({ session_key: TOKEN }) })],
    ['an inspected object', inspect({ accessToken: TOKEN, nested: { app_secret: TOKEN } })],
    ['an environment listing', `WX_APP_SECRET=${TOKEN} LOG_LEVEL=info`],
    ['a database URL', `mysql://reminder:${TOKEN}@db:3306/reminder`],
    ['an upper-case name', `?ACCESS_TOKEN=${TOKEN}`],
  ])('masks a secret in %s', (_, text) => {
    expect(text).toContain(TOKEN)
    expect(redact(text)).not.toContain(TOKEN)
    expect(redact(text)).toContain('***')
  })

  test('keeps what stands around the secret', () => {
    expect(redact(`GET /x?access_token=${TOKEN}&lang=zh_CN failed`)).toBe(
      'GET /x?access_token=***&lang=zh_CN failed',
    )
    expect(redact(`{"access_token":"${TOKEN}","expires_in":7200}`)).toBe(
      '{"access_token":"***","expires_in":7200}',
    )
  })

  test('masks a given secret that has no name beside it', () => {
    expect(redact(`invalid credential ${TOKEN}`, [TOKEN, ''])).toBe('invalid credential ***')
  })

  test('masks a session token wherever it stands', () => {
    const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJvQS0xXyJ9.s1gN4ture-_0'
    expect(redact(`Authorization: Bearer ${jwt} is bad`)).toBe('Authorization: Bearer *** is bad')
  })

  test('leaves WeChat’s prose about tokens readable', () => {
    const errmsg = 'invalid credential, access_token is invalid or not latest rid: 5f0a-1b2c-3d4e'
    expect(redact(errmsg)).toBe(errmsg)
  })

  test.each([
    ['a quote', 'pass"word-1234'],
    ['a backslash', 'pass\\word-1234'],
    ['a control character', 'pass\u0007word\n1234'],
  ])('masks a given secret with %s as JSON escapes it, once and twice', (_, secret) => {
    const once = JSON.stringify({ msg: `is ${secret}, no` })
    const twice = JSON.stringify({ body: once })
    expect(once).not.toContain(secret)
    expect(redact(once, [secret])).toBe('{"msg":"is ***, no"}')
    expect(redact(twice, [secret])).toBe(JSON.stringify({ body: '{"msg":"is ***, no"}' }))
  })

  test('masks a given secret as other writers of JSON escape it', () => {
    const secret = 'pass/wörd-1234'
    expect(redact('{"msg":"pass\\/w\\u00f6rd-1234."}', [secret])).toBe('{"msg":"***."}')
    expect(redact('{"msg":"{\\"a\\":\\"pass\\\\/w\\\\u00F6rd-1234.\\"}"}', [secret])).toBe(
      '{"msg":"{\\"a\\":\\"***.\\"}"}',
    )
  })

  test('masks the whole of a named secret with a quote or a backslash, once and twice', () => {
    const once = JSON.stringify({ app_secret: 'first"second\\third' })
    const twice = JSON.stringify({ body: once, next: 1 })
    expect(redact(once)).toBe('{"app_secret":"***"}')
    expect(redact(twice)).toBe(JSON.stringify({ body: '{"app_secret":"***"}', next: 1 }))
    expect(redact(JSON.stringify({ twice }))).not.toMatch(/first|second|third/)
    expect(redact(JSON.stringify(inspect({ appSecret: "first'second" })))).not.toMatch(/first|second/)
  })

  test('leaves JSON valid where a masked parameter ends before a quote', () => {
    const line = JSON.stringify({ msg: `GET "/x?access_token=${TOKEN}" failed` })
    expect(JSON.parse(redact(line))).toEqual({ msg: 'GET "/x?access_token=***" failed' })
  })

  test('no secret survives that JSON escapes once or twice', { tags: ['long'] }, () => {
    const secret = fc.oneof(
      fc.string({ minLength: 8, unit: 'binary' }),
      fc.string({
        minLength: 8,
        unit: fc.constantFrom('"', '\\', '/', '\n', '\u0001', 'é', '😀', '\ud800', 'u', 'n'),
      }),
    )
    const message = fc.record({ before: fc.string(), secret, after: fc.string(), named: fc.boolean() })
    fc.assert(
      fc.property(message, ({ before, secret, after, named }) => {
        fc.pre(!`***${before}|***|${after}`.includes(secret))
        const body = named ? { before, app_secret: secret, after } : { msg: `${before}|${secret}|${after}` }
        const once = JSON.stringify(body)
        const known = named ? [] : [secret]
        const shown = redact(once, known)
        const nested = redact(JSON.stringify({ body: once }), known)
        const escaped = JSON.stringify(secret).slice(1, -1)
        expect(shown).not.toContain(escaped)
        expect(nested).not.toContain(JSON.stringify(escaped).slice(1, -1))
        expect(shown).toContain('***')
        expect(nested).toContain('***')
      }),
      { numRuns: 1_000 },
    )
  })

  const hostile: [string, string][] = [
    ['backslashes', '\\'],
    ['escaped quotes', '\\"'],
    ['names without values', '"secret'],
    ['named values that never end', '"secret":"\\'],
    ['starts of URLs', '://a:'],
    ['starts of session tokens', '-eyJ-.eyJ'],
    ['starts of one session token', 'eyJ-'],
    ['refusals without an end', "Duplicate entry '"],
    ['parameters of backslashes', 'secret=\\\\'],
    ['part of a secret', 'aaaaaaa'],
  ]
  test.each(hostile)('takes linear time on a megabyte of %s', (_, piece) => {
    const time = (length: number) => {
      const text = piece.repeat(length / piece.length)
      // Of the processor: on a busy machine the clock goes on while the process waits for its turn.
      const started = process.cpuUsage()
      redact(text, ['aaaaaaab', `a"b${'c'.repeat(29)}`])
      return process.cpuUsage(started).user / 1_000
    }
    time(100_000)
    const short = Math.max(time(100_000), time(100_000), 5)
    // Ten times the text: a quadratic step would take a hundred times as long.
    expect(time(1_000_000)).toBeLessThan(40 * short)
  })
})

describe('maskOpenId', () => {
  test('shows the first four and the last two characters', () => {
    expect(maskOpenId('oGZUI0egBJY1zhBYw2KhdUfwVJJE')).toBe('oGZU…JE')
  })

  test('shows nothing of an id so short that little would stay hidden', () => {
    expect(maskOpenId('user-1')).toBe('…')
    expect(maskOpenId('')).toBe('…')
  })
})
