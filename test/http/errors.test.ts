import { describe, expect, test } from 'vitest'
import { countRows } from '../helpers/rows.js'
import { API_KEY, OTHER_API_KEY, useService } from '../helpers/service.js'

const UPLOAD = JSON.stringify({ open_id: 'o1', user_id: 1, form_id: 'F1' })
const JSON_TYPE = { 'content-type': 'application/json' }
const AUTHORIZED = { authorization: `Bearer ${API_KEY}` }

const service = useService('sqlite')

const failure = (code: string) => ({ error: { code, message: expect.stringMatching(/.{10,}/) } })

describe('a call without a right key', () => {
  const refused: [string, Record<string, string>][] = [
    ['none', {}],
    ['a wrong one', { authorization: 'Bearer wrong' }],
    ['the start of one', { authorization: `Bearer ${API_KEY.slice(0, -1)}` }],
    ['one and more', { authorization: `Bearer ${API_KEY}x` }],
    ['another scheme', { authorization: `Basic ${Buffer.from(`shop:${API_KEY}`).toString('base64')}` }],
    ['no scheme', { authorization: API_KEY }],
    ['an empty one', { authorization: 'Bearer ' }],
    ['the name of a key', { authorization: 'Bearer shop' }],
    ['name and key', { authorization: `Bearer shop:${API_KEY}` }],
    ['a wrong X-API-Key', { 'x-api-key': 'wrong' }],
    ['an empty X-API-Key', { 'x-api-key': '' }],
    ['one in the query', {}],
  ]

  test.each(refused)('a call without a right key is answered 401: %s', async (what, headers) => {
    const query = what.endsWith('query') ? `?api_key=${API_KEY}` : ''
    for (const path of ['/v1/form-ids', '/v1/sign-ins']) {
      const answer = await service.request('POST', path + query, {
        body: UPLOAD,
        headers: { ...JSON_TYPE, ...headers },
      })
      expect(answer.status).toBe(401)
      expect(answer.body).toEqual(failure('unauthorized'))
    }
    expect(await countRows(service.db)).toMatchObject({ wx_save_form_id: 0, wx_sign_in: 0 })
  })

  test('a call without a right key is answered before its body is looked at', async () => {
    const answer = await service.request('POST', '/v1/form-ids', { body: '{', headers: JSON_TYPE })
    expect(answer.status).toBe(401)
  })
})

test.each([
  ['the first', { authorization: `Bearer ${API_KEY}` }],
  ['the second', { authorization: `Bearer ${OTHER_API_KEY}` }],
  ['in lower case', { authorization: `bearer ${API_KEY}` }],
  ['as X-API-Key', { 'x-api-key': OTHER_API_KEY }],
])('every named key opens: %s', async (_, headers) => {
  const answer = await service.request('POST', '/v1/sign-ins', {
    body: '{"user_id":1}',
    headers: { ...JSON_TYPE, ...headers },
  })
  expect(answer.status).toBe(201)
})

test.each([
  ['nothing', ''],
  ['half of an object', '{"open_id":"o1"'],
  ['words', 'open_id=o1&user_id=1'],
  ['single quotes', "{'open_id':'o1'}"],
  ['a comma too many', '{"user_id":1,}'],
  ['two objects', '{}{}'],
  ['NaN', '{"user_id":NaN}'],
  ['bytes that are no UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a])],
  ['gzip', new Uint8Array([0x1f, 0x8b, 0x08, 0x00, 0x00])],
  ['NUL bytes', new Uint8Array(100)],
])('malformed JSON is answered 400: %s', async (_, body) => {
  const answer = await service.request('POST', '/v1/form-ids', {
    body,
    headers: { ...JSON_TYPE, ...AUTHORIZED },
  })
  expect(answer.status).toBe(400)
  expect(answer.body).toEqual(failure('malformed_json'))
})

test.each([
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'text/json',
  'json',
  '*/*',
])('another type of content is answered 415: %s', async (type) => {
  const answer = await service.request('POST', '/v1/form-ids', {
    body: UPLOAD,
    headers: { 'content-type': type, ...AUTHORIZED },
  })
  expect(answer.status).toBe(415)
  expect(answer.body).toEqual(failure('unsupported_media_type'))
})

test.each(['application/json; charset=utf-8', 'application/JSON', 'application/json ;charset=UTF-8'])(
  'JSON is taken under the name %s',
  async (type) => {
    const answer = await service.request('POST', '/v1/form-ids', {
      body: UPLOAD,
      headers: { 'content-type': type, ...AUTHORIZED },
    })
    expect(answer.status).toBe(201)
  },
)

test('a body over 1 MiB is answered 413', async () => {
  const body = `{"open_id":"${'x'.repeat(1024 * 1024)}"}`
  const answer = await service.request('POST', '/v1/form-ids', {
    body,
    headers: { ...JSON_TYPE, ...AUTHORIZED },
  })
  expect(answer.status).toBe(413)
  expect(answer.body).toEqual(failure('payload_too_large'))
})

test('a thousand items with the longest fields fit', async () => {
  const items = Array.from({ length: 1_000 }, (_, i) => ({
    // Ten users: one may not have so many.
    open_id: `${i % 10}`.padEnd(100, 'o'),
    user_id: Number.MAX_SAFE_INTEGER - (i % 10),
    form_id: `${i}-`.padEnd(128, 'f'),
    page: 'p'.repeat(255),
    submitted_at: Date.now(),
  }))
  expect(await service.post('/v1/form-ids', { items })).toMatchObject({
    status: 201,
    body: { accepted: 1_000 },
  })
})

test.each([
  ['GET', '/index.html'],
  ['POST', '/v1/form-ids/'],
  ['POST', '/V1/FORM-IDS'],
  ['GET', '/v1/form-ids/1'],
  ['GET', '/../../etc/passwd'],
  ['GET', '/docs/static/%2e%2e/%2e%2e/package.json'],
])('there is no %s %s: 404', async (method, path) => {
  const answer = await service.request(method, path)
  expect(answer.status).toBe(404)
  expect(answer.body).toEqual(failure('not_found'))
})

test.each([
  ['GET', '/v1/form-ids', 'POST'],
  ['PUT', '/v1/form-ids', 'POST'],
  ['DELETE', '/v1/sign-ins?user_id=1', 'GET, HEAD, POST'],
  ['POST', '/v1/users/1', 'DELETE, GET, HEAD'],
  ['OPTIONS', '/healthz', 'GET, HEAD'],
])('there is %s %s with another method alone: 405, and Allow names it', async (method, path, allow) => {
  const answer = await service.request(method, path, { headers: AUTHORIZED })
  expect(answer.status).toBe(405)
  expect(answer.headers.get('allow')).toBe(allow)
  expect(answer.body).toEqual(failure('method_not_allowed'))
})

test.each(['/dashboard', '/dashboard/'])('Allow of %s names what it takes', async (path) => {
  const answer = await service.request('PUT', path)
  expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
})

test('the query of a path that is not there stays out of the answer', async () => {
  const answer = await service.request('GET', '/nothing?access_token=abc')
  expect(answer.text).not.toContain('abc')
})

test.each(['/%zz', '/v1/%', '/%c0%af', '/docs/static/%00'])(
  'a path that cannot be read is answered 400: %s',
  async (path) => {
    const answer = await service.request('GET', path)
    expect(answer.status).toBe(400)
    expect(answer.body).toEqual(failure('malformed_request'))
  },
)
