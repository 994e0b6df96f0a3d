import { inspect } from 'node:util'
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

  test('takes linear time on long hostile text', () => {
    const started = performance.now()
    redact(`${'"secret'.repeat(20_000)}${'\\'.repeat(20_000)}${'://a'.repeat(5_000)}${'a'.repeat(100_000)}`)
    expect(performance.now() - started).toBeLessThan(1_000)
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
