import { afterEach, describe, expect, test } from 'vitest'
import { API_KEY, startTestService, type TestService } from '../helpers/service.js'

let service: TestService
afterEach(() => service.close())

const EVERYWHERE = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
}

test('every answer tells browsers not to guess, frame, keep or pass it on', async () => {
  service = await startTestService('sqlite')
  const authorization = { authorization: `Bearer ${API_KEY}` }
  const json = { ...authorization, 'content-type': 'application/json' }
  const answers = [
    await service.request('GET', '/healthz'),
    await service.request('GET', '/nothing'),
    await service.request('GET', '/%zz'),
    await service.request('GET', '/v1/permits?user_id=1', { headers: authorization }),
    await service.request('POST', '/v1/sign-ins', { body: '{"user_id":1}', headers: json }),
    await service.request('POST', '/v1/sessions', { body: '{"code":"c"}', headers: json }),
    await service.request('POST', '/v1/form-ids'),
    await service.request('GET', '/wechat/callback'),
  ]
  expect(answers.map(({ status }) => status)).toEqual([200, 404, 400, 200, 201, 404, 401, 404])
  for (const { headers } of answers)
    expect(Object.fromEntries(headers)).toMatchObject({ ...EVERYWHERE, 'cache-control': 'no-store' })
})

describe('the pages of the description', () => {
  test('the pages of the description may load their own scripts and styles, and nobody else’s', async () => {
    service = await startTestService('sqlite')
    for (const path of ['/docs', '/docs/static/swagger-ui-bundle.js']) {
      const { status, headers } = await service.request('GET', path)
      expect(status).toBe(200)
      expect(Object.fromEntries(headers)).toMatchObject(EVERYWHERE)
      expect(headers.get('content-security-policy')).toContain("script-src 'self'; ")
    }
  })

  test('the pages of the description are not there with API_DOCS=off, nor is the description', async () => {
    service = await startTestService('sqlite', { env: { API_DOCS: 'off' } })
    for (const path of ['/docs', '/docs/', '/docs/static/index.html', '/docs/json', '/openapi.json'])
      expect((await service.request('GET', path)).status, path).toBe(404)
    expect((await service.post('/v1/sign-ins', { user_id: 1 })).status).toBe(201)
  })
})
