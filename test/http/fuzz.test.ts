import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { audit } from '../../src/operations/audit.js'
import { dialects } from '../helpers/database.js'
import { countRows } from '../helpers/rows.js'
import { API_KEY } from '../helpers/service.js'
import { useSessionService } from '../helpers/sessions.js'

// @module-tag long

const PATHS = ['/v1/form-ids', '/v1/sign-ins', '/v1/subscriptions', '/v1/sessions', '/v1/users'] as const
/** Parallel requests of one case: also what comes together must not harm the neighbours in its group commit. */
const TOGETHER = 8

const junk = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    -1,
    -0,
    1e308,
    2 ** 53,
    2 ** 63,
    '9223372036854775807',
    -(2 ** 63),
    '__proto__',
    'constructor',
    '\ud800',
    '\u0000',
    "'; DROP TABLE wx_save_form_id; --",
    '{{7*7}}',
    'o'.repeat(5_000),
  ),
)
const key = fc.constantFrom(
  'open_id',
  'user_id',
  'form_id',
  'prepay_id',
  'page',
  'submitted_at',
  'date',
  'items',
  'template_id',
  'result',
  'tap_id',
  'tapped_at',
  'code',
  'app_id',
  'move_permits',
  'toString',
)
/** Bodies that are nearly right: those get further than random ones do. */
const nearlyRight = fc.oneof(
  fc.tuple(fc.constant({ open_id: 'o1', user_id: 1, form_id: 'F1', page: 'p' }), key, junk),
  fc.tuple(fc.constant({ user_id: 1, date: '2026-11-20' }), key, junk),
  fc.tuple(fc.constant({ open_id: 'o1', user_id: 1, template_id: 't', result: 'accept' }), key, junk),
  fc.tuple(fc.constant({ open_id: 'o1', user_id: 1, move_permits: true }), key, junk),
  fc.tuple(fc.constant({ code: 'c' }), key, junk),
)
const broken = nearlyRight.map(([body, name, value]) => ({ ...body, [name]: value }))
const body = fc.oneof(
  junk,
  broken,
  fc.dictionary(fc.oneof(key, fc.string()), junk),
  fc.record({ items: fc.array(fc.oneof(broken, junk), { maxLength: 20 }) }),
)

/** 401 for a code that WeChat does not know, 409 for an open_id of somebody else, 413 for the longest texts. */
/** 404 is of an app_id that is not served. */
const ANSWERS = [200, 201, 400, 401, 404, 409, 413, 422]

describe.each(dialects)('whatever a caller sends, on %s', (dialect) => {
  const service = useSessionService(dialect, {
    env: { RATE_LIMITS: 'ip:unlimited,session:unlimited,refused:unlimited' },
  })

  const send = (path: string, bytes: string | Uint8Array, credential = API_KEY) =>
    service.request(path === '/v1/users' ? 'PUT' : 'POST', path, {
      body: bytes,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${credential}` },
    })

  test('random JSON is never answered 5xx, and the counters stay exact', async () => {
    const call = fc.tuple(fc.constantFrom(...PATHS), body)
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: TOGETHER }), async (calls) => {
        const answers = await Promise.all(calls.map(([path, value]) => send(path, JSON.stringify(value))))
        for (const { status } of answers) expect(ANSWERS).toContain(status)
      }),
      { numRuns: 100 },
    )
    expect(await audit(service.db, Date.now(), false)).toMatchObject({ ok: true })
  })

  test('random JSON with a session is never answered 5xx, and is about nobody else', async () => {
    await service.post('/v1/form-ids', { open_id: 'oSession', user_id: 77, form_id: 'F-session' })
    const token = await service.tokenOf('oSession')
    const others = () => service.db('wx_save_form_id').whereNot({ open_id: 'oSession' }).orderBy('id')
    const before = await others()
    const call = fc.tuple(fc.constantFrom('/v1/form-ids', '/v1/sign-ins', '/v1/subscriptions'), body)
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: TOGETHER }), async (calls) => {
        const answers = await Promise.all(
          calls.map(([path, value]) => send(path, JSON.stringify(value), token)),
        )
        for (const { status } of answers) expect([201, 400, 403, 413, 422]).toContain(status)
      }),
      { numRuns: 60 },
    )
    expect(await others()).toEqual(before)
    expect(await audit(service.db, Date.now(), false)).toMatchObject({ ok: true })
  })

  test('random bytes are never answered 5xx, and leave the tables as they are', async () => {
    const before = await countRows(service.db)
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.string({ unit: 'binary' }),
      // A right body, cut somewhere.
      fc.nat({ max: 43 }).map((end) => '{"open_id":"o9","user_id":9,"form_id":"F999"}'.slice(0, end)),
    )
    const call = fc.tuple(fc.constantFrom(...PATHS), bytes)
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: TOGETHER }), async (calls) => {
        const answers = await Promise.all(calls.map(([path, value]) => send(path, value)))
        for (const { status } of answers) expect([400, 422]).toContain(status)
      }),
      { numRuns: 60 },
    )
    expect(await countRows(service.db)).toEqual(before)
  })

  test('random paths and queries are never answered 5xx', async () => {
    const segment = fc.oneof(
      fc.constantFrom('v1', 'form-ids', 'docs', 'static', '..', '%00', '%zz', 'openapi.json', 'healthz'),
      fc.webPath(),
    )
    const path = fc.array(segment, { maxLength: 5 }).map((segments) => `/${segments.join('/')}`)
    const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD')
    await fc.assert(
      fc.asyncProperty(method, path, fc.webQueryParameters(), async (verb, where, query) => {
        const { status } = await service.request(verb, `${where}?${query}`)
        expect(status).toBeLessThan(500)
      }),
      { numRuns: 150 },
    )
  })
})
