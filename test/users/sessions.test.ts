import { SignJWT } from 'jose'
import { beforeEach, describe, expect, test } from 'vitest'
import { audit } from '../../src/operations/audit.js'
import { MINUTE } from '../../src/sandbox/clock.js'
import { APP_ID, DAY_MS, NOW } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { countRows, counts } from '../helpers/rows.js'
import { API_KEY, useService } from '../helpers/service.js'
import { SESSION_SECRET, useSessionService } from '../helpers/sessions.js'

const LOGIN = '/sns/jscode2session'
const failure = (code: string) => ({ error: { code, message: expect.stringMatching(/.{10,}/) } })

describe.each(dialects)('sessions on %s', (dialect) => {
  let now = NOW
  beforeEach(() => {
    now = NOW
  })
  const service = useSessionService(dialect, { now: () => now, env: { RATE_LIMITS: 'ip:unlimited' } })

  const login = (body: unknown) => service.post('/v1/sessions', body)
  const bind = (body: object) =>
    service.request('PUT', '/v1/users', {
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', authorization: `Bearer ${API_KEY}` },
    })

  test('from login to collected permits: the backend binds, the same session goes on', async () => {
    const opened = await service.logIn('oA')
    expect(opened).toMatchObject({
      status: 201,
      body: { token: expect.any(String), expires_at: NOW + 7 * DAY_MS },
    })
    expect(opened.body).not.toHaveProperty('user_id')
    const { token } = opened.body as { token: string }
    for (const [path, body] of [
      ['/v1/form-ids', { form_id: 'F1' }],
      ['/v1/sign-ins', {}],
    ] as const) {
      const early = await service.postAs(token, path, body)
      expect(early).toMatchObject({ status: 409, body: failure('user_not_bound') })
    }
    expect(await bind({ open_id: 'oA', user_id: 17 })).toMatchObject({ status: 200 })
    expect(await service.postAs(token, '/v1/form-ids', { form_id: 'F1' })).toMatchObject({
      status: 201,
      body: { accepted: 1 },
    })
    expect(await service.postAs(token, '/v1/sign-ins', {})).toMatchObject({
      status: 201,
      body: { date: '2026-11-20', streak: 1 },
    })
    expect(await counts(service.db, APP_ID)).toEqual({ 17: 1 })
    expect(await service.db('wx_save_form_id')).toMatchObject([
      { open_id: 'oA', user_id: 17, form_id: 'F1', source: 'form' },
    ])
    expect(await service.db('wx_sign_in')).toMatchObject([{ user_id: 17, day: 20261120 }])
    expect((await service.logIn('oA')).body).toMatchObject({ user_id: 17 })
  })

  test('a code of the developer tools logs somebody in, where the sandbox takes any', async () => {
    const code = '0e3pT1Ga1kXW1M0fBfHa1TmbOD3pT1Gz'
    expect(await login({ code })).toMatchObject({ status: 401, body: failure('invalid_code') })
    service.sandbox.control.configure({ anyLoginCode: 'oDeveloper' })
    try {
      const first = await login({ code: '0e3pT1Ga1kXW1M0fBfHa1TmbOD3pT1GA' })
      expect(first).toMatchObject({ status: 201, body: { token: expect.any(String) } })
      expect(await bind({ open_id: 'oDeveloper', user_id: 4711 })).toMatchObject({ status: 200 })
      const again = await login({ code: '0e3pT1Ga1kXW1M0fBfHa1TmbOD3pT1GB' })
      expect(again).toMatchObject({ status: 201, body: { user_id: 4711 } })
    } finally {
      service.sandbox.control.configure({ anyLoginCode: false })
    }
  })

  test('an upload of the backend binds as well', async () => {
    const token = await service.tokenOf('oA')
    await service.post('/v1/form-ids', { open_id: 'oA', user_id: 17, form_id: 'F1' })
    expect(await service.postAs(token, '/v1/sign-ins', {})).toMatchObject({ status: 201 })
  })

  test('a person is created by the first login and found by the next, which keeps what is known', async () => {
    await service.logIn('oA', { unionId: 'uA' })
    now += MINUTE
    await service.logIn('oA')
    expect(await service.db('wx_user')).toMatchObject([
      { app_id: APP_ID, open_id: 'oA', union_id: 'uA', user_id: null, created_at: NOW, updated_at: now },
    ])
  })

  test('two first logins of one person at once leave one person', async () => {
    const opened = await Promise.all(Array.from({ length: 8 }, () => service.logIn('oA')))
    expect(opened.map(({ status }) => status)).toEqual(Array(8).fill(201))
    expect(await service.db('wx_user')).toHaveLength(1)
  })

  test('no session_key is in an answer or in a table', async () => {
    const { text } = await service.logIn('oA', { unionId: 'uA' })
    expect(text).not.toContain('session_key')
    expect(Object.keys((await service.db('wx_user'))[0] ?? {})).not.toContain('session_key')
  })

  describe('a login that WeChat refuses', () => {
    test('a login that WeChat refuses for a code that is of nobody, or too old: 401', async () => {
      expect(await login({ code: 'nobody' })).toMatchObject({ status: 401, body: failure('invalid_code') })
      const code = service.sandbox.control.issueLoginCode({ openId: 'oA' })
      now += 5 * MINUTE
      expect(await login({ code })).toMatchObject({ status: 401, body: failure('invalid_code') })
    })

    test('a login that WeChat refuses for a code that was used: 409', async () => {
      const code = service.sandbox.control.issueLoginCode({ openId: 'oA' })
      expect(await login({ code })).toMatchObject({ status: 201 })
      expect(await login({ code })).toMatchObject({ status: 409, body: failure('code_used') })
    })

    test('a login that WeChat refuses for a code that comes twenty times at once: one session', async () => {
      const code = service.sandbox.control.issueLoginCode({ openId: 'oA' })
      const answers = await Promise.all(Array.from({ length: 20 }, () => login({ code })))
      const statuses = answers.map(({ status }) => status).sort()
      expect(statuses).toEqual([201, ...Array(19).fill(409)])
    })

    test('a login that WeChat refuses for a person at high risk: 403', async () => {
      service.sandbox.control.markHighRisk({ openId: 'oRisky' })
      expect(await service.logIn('oRisky')).toMatchObject({ status: 403, body: failure('high_risk_user') })
    })

    test.each([
      [45011, 429, 'too_many_requests', '60'],
      [-1, 503, 'wechat_unavailable', '5'],
      [45009, 503, 'wechat_unavailable', '5'],
      [99999, 503, 'wechat_unavailable', '5'],
      [40125, 503, 'login_misconfigured', '5'],
      [40164, 503, 'login_misconfigured', '5'],
    ])('with %i: %i %s', async (errcode, status, code, retryAfter) => {
      service.sandbox.control.addFault({ kind: 'errcode', errcode, match: { path: LOGIN } })
      const answer = await service.logIn('oA')
      expect(answer).toMatchObject({ status, body: failure(code) })
      expect(answer.headers.get('retry-after')).toBe(retryAfter)
      expect(await service.db('wx_user')).toHaveLength(0)
    })

    test.each(['cut_before', 'cut_after', 'garbage', 'http_status', 'huge_body'] as const)(
      'a login that WeChat refuses by %s: 503',
      async (kind) => {
        service.sandbox.control.addFault({ kind, match: { path: LOGIN } })
        expect(await service.logIn('oA')).toMatchObject({ status: 503, body: failure('wechat_unavailable') })
      },
    )
  })

  test.each([
    [{}, 'code'],
    [{ code: '' }, 'code'],
    [{ code: 7 }, 'code'],
    [{ code: 'c'.repeat(201) }, 'code'],
    [{ code: 'c', open_id: 'oA' }, 'open_id'],
    [[], 'body'],
  ])('a login of %j names the field that is wrong', async (body, field) => {
    expect(await login(body)).toMatchObject({
      status: 422,
      body: { error: { code: 'invalid_request', details: { field } } },
    })
  })

  test('a login for an account that is not served here is told so', async () => {
    expect(await login({ code: 'c', app_id: 'wxOther' })).toMatchObject({
      status: 404,
      body: failure('unknown_account'),
    })
  })

  describe('the identity of a call', () => {
    let token: string
    beforeEach(async () => {
      await service.post('/v1/form-ids', { open_id: 'oA', user_id: 1, form_id: 'F1' })
      token = await service.tokenOf('oA')
    })

    test.each([
      ['/v1/form-ids', { form_id: 'F2', open_id: 'oB' }, 'open_id'],
      ['/v1/form-ids', { form_id: 'F2', open_id: 'oA' }, 'open_id'],
      ['/v1/form-ids', { form_id: 'F2', user_id: 2 }, 'user_id'],
      ['/v1/form-ids', { items: [{ form_id: 'F3', user_id: 2 }] }, 'items.0.user_id'],
      ['/v1/form-ids', { prepay_id: 'wx2026' }, 'prepay_id'],
      ['/v1/form-ids', { items: Array(21).fill({ form_id: 'F2' }) }, 'items'],
      ['/v1/form-ids', {}, 'form_id'],
      ['/v1/sign-ins', { user_id: 2 }, 'user_id'],
      ['/v1/sign-ins', { open_id: 'oB' }, 'open_id'],
      ['/v1/sign-ins', { date: '2026-11-19' }, 'date'],
      ['/v1/sign-ins', { date: '2026-11-21' }, 'date'],
    ])('is the session’s: %s %j is refused', async (path, body, field) => {
      const before = await countRows(service.db)
      expect(await service.postAs(token, path, body)).toMatchObject({
        status: 422,
        body: { error: { code: 'invalid_request', details: { field } } },
      })
      expect(await countRows(service.db)).toEqual(before)
    })

    test('the identity of a call is the session’s for each item of a batch, with the reasons that a backend gets', async () => {
      const items = [{ form_id: 'F2' }, { form_id: 'the formId is a mock one' }, { form_id: 'F1' }]
      expect((await service.postAs(token, '/v1/form-ids', { items })).body).toMatchObject({
        accepted: 1,
        duplicates: 1,
        rejected: 1,
        results: [{ outcome: 'accepted' }, { reason: 'mock' }, { outcome: 'duplicate' }],
      })
      expect(await counts(service.db, APP_ID)).toEqual({ 1: 2 })
      expect(await audit(service.db, now, false)).toMatchObject({ ok: true })
    })

    test('the identity of a call may sign in for today by name', async () => {
      expect(await service.postAs(token, '/v1/sign-ins', { date: '2026-11-20' })).toMatchObject({
        status: 201,
      })
    })

    test('follows a new binding at once', async () => {
      await bind({ open_id: 'oA', user_id: 2, move_permits: true })
      await service.postAs(token, '/v1/form-ids', { form_id: 'F2' })
      expect(await counts(service.db, APP_ID)).toEqual({ 1: 0, 2: 2 })
    })

    test('the identity of a call is not taken where only a backend may call', async () => {
      const answer = await service.request('PUT', '/v1/users', {
        body: JSON.stringify({ open_id: 'oB', user_id: 1 }),
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      })
      expect(answer).toMatchObject({ status: 403, body: failure('forbidden') })
    })

    test('ends with the session', async () => {
      now += 7 * DAY_MS
      expect(await service.postAs(token, '/v1/sign-ins', {})).toMatchObject({
        status: 401,
        body: { error: { code: 'unauthorized', message: expect.stringContaining('/v1/sessions') } },
      })
    })

    test.each([
      ['of another app', { aud: 'wxOther' }, SESSION_SECRET],
      ['of another secret', {}, 'another-secret-of-32-characters-x'],
    ])('is not that of a token %s', async (_, claims, secret) => {
      const forged = await new SignJWT({ iss: 'sign-in-reminder', aud: APP_ID, sub: 'oA', ...claims })
        .setProtectedHeader({ alg: 'HS256' })
        .setExpirationTime(new Date(now + 1_000))
        .sign(new TextEncoder().encode(secret))
      for (const path of ['/v1/form-ids', '/v1/sign-ins'])
        expect(await service.postAs(forged, path, {})).toMatchObject({
          status: 401,
          body: failure('unauthorized'),
        })
    })
  })
})

describe.each(dialects)('sessions where user ids are allotted, on %s', (dialect) => {
  const service = useSessionService(dialect, { env: { USER_IDS: 'auto', RATE_LIMITS: 'ip:unlimited' } })

  test('a first login gets a user, and needs no backend', async () => {
    const { body } = await service.logIn('oA')
    expect(body).toMatchObject({ user_id: 1 })
    const { token } = body as { token: string }
    expect(await service.postAs(token, '/v1/form-ids', { form_id: 'F1' })).toMatchObject({ status: 201 })
    expect(await counts(service.db, APP_ID)).toEqual({ 1: 1 })
  })

  test('two first logins of one person at once get one user', async () => {
    const opened = await Promise.all(Array.from({ length: 8 }, () => service.logIn('oA')))
    expect(opened.map(({ body }) => (body as { user_id: number }).user_id)).toEqual(Array(8).fill(1))
  })

  test('fifty first logins at once get fifty users', async () => {
    const opened = await Promise.all(Array.from({ length: 50 }, (_, i) => service.logIn(`o${i}`)))
    const ids = opened.map(({ body }) => (body as { user_id: number }).user_id)
    expect(new Set(ids).size).toBe(50)
    expect(await service.db('wx_user')).toHaveLength(50)
  })

  test('a backend may leave user_id out, and one that it names must be the open_id’s', async () => {
    const items = [
      { open_id: 'oA', form_id: 'F1' },
      { open_id: 'oB', form_id: 'F2' },
      { open_id: 'oA', form_id: 'F3' },
    ]
    expect((await service.post('/v1/form-ids', { items })).body).toMatchObject({ accepted: 3 })
    expect(await counts(service.db, APP_ID)).toEqual({ 1: 2, 2: 1 })
    expect(
      (await service.post('/v1/form-ids', { open_id: 'oA', user_id: 2, form_id: 'F4' })).body,
    ).toMatchObject({
      results: [{ outcome: 'rejected', reason: 'open_id_of_another_user' }],
    })
    expect(await service.post('/v1/sign-ins', { open_id: 'oB' })).toMatchObject({ status: 201 })
    expect(await service.db('wx_sign_in')).toMatchObject([{ user_id: 2 }])
  })

  test('a session whose person was deleted by hand logs in again, and gets a user', async () => {
    const token = await service.tokenOf('oA')
    await service.db('wx_user').delete()
    expect(await service.postAs(token, '/v1/sign-ins', {})).toMatchObject({
      status: 401,
      body: failure('unauthorized'),
    })
    expect(await service.db('wx_user')).toEqual([])
    await service.logIn('oA')
    expect(await service.db('wx_user')).toMatchObject([{ open_id: 'oA', user_id: 2 }])
  })
})

describe('a service without SESSION_SECRET', () => {
  const service = useService('sqlite')

  test('says that there are no sessions', async () => {
    expect(await service.post('/v1/sessions', { code: 'c' })).toMatchObject({
      status: 404,
      body: { error: { code: 'sessions_off', message: expect.stringContaining('SESSION_SECRET') } },
    })
  })

  test('takes no token, whatever its secret', async () => {
    const forged = await new SignJWT({ iss: 'sign-in-reminder', aud: APP_ID, sub: 'oA' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(SESSION_SECRET))
    const answer = await service.post('/v1/sign-ins', {}, { authorization: `Bearer ${forged}` })
    expect(answer).toMatchObject({ status: 401, body: failure('unauthorized') })
  })
})
