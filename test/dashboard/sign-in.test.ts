import { describe, expect, test } from 'vitest'
import { SIGNED_IN_MS } from '../../src/dashboard/session.js'
import { PER_ADDRESS } from '../../src/dashboard/sign-in-limit.js'
import { selectRows } from '../../src/db/sql.js'
import { MINUTE_MS } from '../../src/lib/durations.js'
import { hashPassword } from '../../src/lib/password-hash.js'
import { createClock } from '../helpers/clock.js'
import { NOW } from '../helpers/constants.js'
import { ADMIN_PASSWORD, signedIn, TestOperator, tokenIn } from '../helpers/operator.js'
import { startTestService, useService } from '../helpers/service.js'

const clock = createClock(NOW)

describe('signing in', () => {
  const service = useService('sqlite', { env: { ADMIN_PASSWORD }, now: clock.now })

  test('leads from / to the sign-in, and from there to the page that was asked for', async () => {
    const stranger = new TestOperator(service)
    expect((await stranger.get('/')).headers.get('location')).toBe('/dashboard')
    const sent = await stranger.get('/dashboard/run')
    expect([sent.status, sent.headers.get('location')]).toEqual([
      303,
      '/dashboard/sign-in?next=%2Fdashboard%2Frun',
    ])
    const form = await stranger.get(sent.headers.get('location') ?? '')
    const answer = await stranger.post('/dashboard/sign-in', {
      form_token: tokenIn(form.text),
      name: 'Wang',
      password: ADMIN_PASSWORD,
      next: '/dashboard/run',
    })
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/dashboard/run'])
    expect((await stranger.get('/dashboard/run')).status).toBe(200)
  })

  test.each(['//evil.example', '/dashboard\\@evil.example', 'https://evil.example/dashboard', '/dashboardx'])(
    'leads nowhere else: not to %s',
    async (next) => {
      const operator = new TestOperator(service)
      const answer = await operator.send('/dashboard/sign-in', '/dashboard/sign-in', {
        name: 'Wang',
        password: ADMIN_PASSWORD,
        next,
      })
      expect(answer.headers.get('location')).toBe('/dashboard')
    },
  )

  test('keeps the session in a cookie that scripts and other sites cannot use', async () => {
    const operator = new TestOperator(service)
    const cookie = (await operator.signIn()).headers
      .getSetCookie()
      .find((line) => line.startsWith('dashboard_session='))
    expect(cookie).toMatch(/; Path=\/; HttpOnly; SameSite=Strict$/)
  })

  test('marks the cookie as secure behind a proxy that speaks https', async () => {
    const operator = new TestOperator(service, { 'x-forwarded-proto': 'https' })
    const [cookie] = (await operator.get('/dashboard/sign-in')).headers.getSetCookie()
    expect(cookie).toMatch(/; Secure/)
  })

  test('writes down who signed in, and from which network', async () => {
    await signedIn(service)
    expect(
      await selectRows(service.db, 'SELECT who, from_address, action, outcome FROM wx_operator_action'),
    ).toEqual([{ who: '王芳', from_address: '127.0.0.x', action: 'sign_in', outcome: 'done' }])
  })

  test('ends after its time, and at the sign-out', async () => {
    const operator = await signedIn(service)
    clock.advance(SIGNED_IN_MS - 1_000)
    expect((await operator.get('/dashboard')).status).toBe(200)
    const out = await operator.send('/dashboard', '/dashboard/sign-out')
    expect(out.status).toBe(303)
    expect((await operator.get('/dashboard')).status).toBe(303)
    const other = await signedIn(service)
    clock.advance(SIGNED_IN_MS)
    expect((await other.get('/dashboard')).status).toBe(303)
  })

  test('says that a password is wrong, and nothing about it', async () => {
    const operator = new TestOperator(service)
    const answer = await operator.signIn('Wang', 'not-the-password')
    expect(answer.status).toBe(422)
    expect(answer.text).toContain('That is not the password.')
    expect(answer.text).not.toContain('not-the-password')
    expect(operator.cookies.has('dashboard_session')).toBe(false)
    clock.advance(MINUTE_MS)
  })

  test('makes an address wait after too many wrong passwords, and then lets it in', async () => {
    const operator = new TestOperator(service)
    for (let i = 0; i < PER_ADDRESS; i++)
      expect((await operator.signIn('Wang', `wrong-${i}`)).status).toBe(422)
    const refused = await operator.signIn()
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(refused.headers.get('content-type')).toMatch(/^text\/html/)
    clock.advance(MINUTE_MS)
    expect((await operator.signIn()).status).toBe(303)
  })

  test('refuses a name that cannot stand in the log', async () => {
    const operator = new TestOperator(service)
    for (const name of ['', '   ', 'a\u0007b', 'x'.repeat(41)])
      expect((await operator.signIn(name)).status).toBe(422)
  })

  test('escapes what was typed', async () => {
    const { text } = await new TestOperator(service).signIn('"><script>alert(1)</script>', 'wrong-password')
    expect(text).toContain('&#60;script&#62;')
    expect(text).not.toContain('<script>alert')
    clock.advance(MINUTE_MS)
  })
})

describe('forms', () => {
  const service = useService('sqlite', { env: { ADMIN_PASSWORD }, now: clock.now })

  test('are refused without the token of their own sign-in', async () => {
    const operator = await signedIn(service)
    const other = await signedIn(service)
    const token = tokenIn((await other.get('/dashboard')).text)
    for (const form_token of [undefined, '', 'x', token]) {
      const answer = await operator.post('/dashboard/run', form_token === undefined ? {} : { form_token })
      expect(answer.status).toBe(403)
    }
    expect(await selectRows(service.db, "SELECT id FROM wx_operator_action WHERE action = 'run'")).toEqual([])
  })

  test.each([
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
  ])('are refused from another site: %j', async (headers) => {
    const operator = await signedIn(service)
    const form_token = tokenIn((await operator.get('/dashboard')).text)
    const answer = await operator.post('/dashboard/run', { form_token }, headers)
    expect(answer.status).toBe(403)
  })

  test('are accepted where a browser says only the origin', async () => {
    const operator = await signedIn(service)
    const form_token = tokenIn((await operator.get('/dashboard')).text)
    const fields = { form_token, theme: 'dark', back: '/dashboard/run' }
    const answer = await operator.post('/dashboard/preferences', fields, { origin: service.url })
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/dashboard/run'])
    expect((await operator.get('/dashboard')).text).toContain('data-theme="dark"')
  })

  test('send a stranger to the sign-in', async () => {
    const answer = await new TestOperator(service).post('/dashboard/run', {})
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/dashboard/sign-in'])
  })
})

describe('pages', () => {
  const service = useService('sqlite', { env: { ADMIN_PASSWORD }, now: clock.now })

  test('allow nothing inline and nothing from elsewhere', async () => {
    const operator = await signedIn(service)
    for (const path of ['/dashboard', '/dashboard/nowhere']) {
      const { headers, text } = await operator.get(path)
      expect(headers.get('content-security-policy')).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
      )
      expect(headers.get('cache-control')).toBe('no-store')
      expect(text).not.toMatch(/ style=| on[a-z]+=|<script(?![^>]* src=| type="application\/json")/)
    }
  })

  test.each([
    ['zh-CN,zh;q=0.9,en;q=0.8', 'zh-CN'],
    ['en-US,en;q=0.9', 'en'],
    ['fr, zh-TW;q=0.5, en;q=0.4', 'zh-CN'],
    ['', 'en'],
  ])('are in the language that the browser prefers: %s', async (wish, language) => {
    const { text } = await new TestOperator(service, { 'accept-language': wish }).get('/dashboard/sign-in')
    expect(text).toContain(`<html lang="${language}"`)
  })

  test('are in the language that was chosen', async () => {
    const operator = new TestOperator(service, { 'accept-language': 'en' })
    await operator.send('/dashboard/sign-in', '/dashboard/preferences', { language: 'zh' })
    expect((await operator.get('/dashboard/sign-in')).text).toContain('<html lang="zh-CN"')
  })

  test('may be kept as far as they are style sheets and scripts, and are then not sent again', async () => {
    const { text } = await new TestOperator(service).get('/dashboard/sign-in')
    const [, path = ''] = /href="([^"]+\.css)"/.exec(text.replaceAll('&#61;', '=')) ?? []
    const first = await service.request('GET', path)
    expect(first.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    const etag = first.headers.get('etag') ?? ''
    expect((await service.request('GET', path, { headers: { 'if-none-match': etag } })).status).toBe(304)
    const old = await service.request('GET', path.replace(/assets\/[^/]+/, 'assets/of-another-version'))
    expect([old.status, old.headers.get('cache-control')]).toEqual([200, 'no-cache'])
    expect((await service.request('GET', '/dashboard/assets/x/..%2Fassets.ts')).status).toBe(404)
  })
})

test('without ADMIN_PASSWORD the page says how to switch it on, and nothing else is there', async () => {
  const service = await startTestService('sqlite')
  try {
    const off = await service.request('GET', '/dashboard', { headers: { 'accept-language': 'zh' } })
    expect(off.status).toBe(200)
    expect(off.text).toContain('ADMIN_PASSWORD')
    expect((await service.request('GET', '/dashboard/sign-in')).status).toBe(404)
    expect((await service.request('GET', '/dashboard/run')).status).toBe(404)
  } finally {
    await service.close()
  }
})

test('a hash of the password does as well, in every process, and another password ends all sessions', {
  tags: ['long'],
}, async () => {
  const hash = await hashPassword(ADMIN_PASSWORD)
  const first = await startTestService('sqlite', { env: { ADMIN_PASSWORD: hash } })
  const second = await startTestService('sqlite', { env: { ADMIN_PASSWORD: hash } })
  const changed = await startTestService('sqlite', {
    env: { ADMIN_PASSWORD: await hashPassword(ADMIN_PASSWORD) },
  })
  try {
    expect((await new TestOperator(first).signIn('Wang', hash)).status).toBe(422)
    const { cookies } = await signedIn(first)
    const statusAt = async (service: typeof first) => {
      const operator = new TestOperator(service)
      for (const [name, value] of cookies) operator.cookies.set(name, value)
      return (await operator.get('/dashboard')).status
    }
    expect([await statusAt(second), await statusAt(changed)]).toEqual([200, 303])
  } finally {
    for (const service of [first, second, changed]) await service.close()
  }
})
