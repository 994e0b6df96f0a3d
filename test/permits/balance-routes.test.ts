import { beforeEach, describe, expect, test } from 'vitest'
import { APP_ID, DAY_MS, HOUR_MS } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { addPermits, countRows } from '../helpers/rows.js'
import { API_KEY } from '../helpers/service.js'
import { useSessionService } from '../helpers/sessions.js'

/** 2026-11-20 08:00 in Shanghai: the run of the day is at ten. */
const EIGHT = Date.parse('2026-11-20T08:00:00+08:00')

describe.each(dialects)('GET /v1/permits on %s', (dialect) => {
  let now = EIGHT
  beforeEach(() => {
    now = EIGHT
  })
  const env = { TIMEZONE: 'Asia/Shanghai', REMINDER_TEMPLATE_ID: 'daily', RATE_LIMITS: 'session:unlimited' }
  const service = useSessionService(dialect, { now: () => now, env })
  const subscribing = useSessionService(dialect, {
    now: () => now,
    env: { ...env, WX_CHANNEL: 'subscribe', TEMPLATES: 'weekly' },
  })

  const get = (query: string, credential = API_KEY, from = service) =>
    from.request('GET', `/v1/permits${query}`, { headers: { authorization: `Bearer ${credential}` } })
  const upload = (count: number, userId = 1) =>
    service.post('/v1/form-ids', {
      items: Array.from({ length: count }, (_, i) => ({
        open_id: `o${userId}`,
        user_id: userId,
        form_id: `F${userId}-${i}`,
      })),
    })

  test('a user of whom nothing is known has none, and may be asked', async () => {
    expect(await get('?user_id=1')).toMatchObject({
      status: 200,
      body: { user_id: 1, permits: 0, days_covered: 0, covered_until: null, ask: true, reason: 'none_left' },
    })
  })

  test('permits reach from today’s run on, or from tomorrow’s once the user has signed in', async () => {
    await upload(3)
    const early = { permits: 3, days_covered: 3, covered_until: '2026-11-22', ask: true, reason: 'few_left' }
    expect((await get('?user_id=1')).body).toMatchObject(early)
    await service.post('/v1/sign-ins', { user_id: 1 })
    expect((await get('?user_id=1')).body).toMatchObject({ ...early, covered_until: '2026-11-23' })
  })

  test('the run of today counts no more once it has begun', async () => {
    await upload(3)
    now += 2 * HOUR_MS
    expect((await get('?user_id=1')).body).toMatchObject({ covered_until: '2026-11-23' })
  })

  test('who was reminded today is reminded tomorrow at the earliest', async () => {
    await upload(3)
    await service.db('wx_message_push_status').update({ last_date: 20261120 })
    expect((await get('?user_id=1')).body).toMatchObject({ covered_until: '2026-11-23' })
  })

  test('asking ends when another form_id would run out unused', async () => {
    await upload(6)
    expect((await get('?user_id=1')).body).toMatchObject({ days_covered: 6, ask: true })
    await upload(9)
    // They run out on the 27th at eight, two hours before that day's run.
    expect((await get('?user_id=1')).body).toMatchObject({
      permits: 9,
      days_covered: 7,
      covered_until: '2026-11-26',
      ask: false,
      reason: 'enough',
    })
  })

  test('spent, stale and other people’s permits do not count; a payment does at once', async () => {
    await addPermits(service.db, [
      { app_id: APP_ID, user_id: 1, status: 1 },
      { app_id: APP_ID, user_id: 1, status: 2 },
      { app_id: APP_ID, user_id: 1, expire: EIGHT + 60_000 },
      { app_id: APP_ID, user_id: 2 },
      { app_id: 'wxB', user_id: 1 },
    ])
    expect((await get('?user_id=1')).body).toMatchObject({ permits: 0 })
    await service.post('/v1/form-ids', { open_id: 'o1', user_id: 1, prepay_id: 'wx201410272009395522' })
    expect((await get('?user_id=1')).body).toMatchObject({ permits: 3, days_covered: 3 })
  })

  test('who opted out is not asked', async () => {
    await upload(1)
    await service.db('wx_user').update({ opted_out_at: EIGHT })
    expect((await get('?user_id=1')).body).toMatchObject({ permits: 1, ask: false, reason: 'opted_out' })
    await service.db('wx_user').update({ opted_out_at: null, blocked_at: EIGHT, stop_errcode: 43004 })
    expect((await get('?user_id=1')).body).toMatchObject({ ask: false, reason: 'blocked' })
  })

  test('subscriptions are counted where those are sent, of the template of the reminder', async () => {
    const report = (template_id: string, tap_id: string) =>
      subscribing.post('/v1/subscriptions', {
        open_id: 'o1',
        user_id: 1,
        template_id,
        result: 'accept',
        tap_id,
      })
    await report('daily', 't1')
    await report('daily', 't2')
    await report('weekly', 't3')
    expect((await get('?user_id=1', API_KEY, subscribing)).body).toMatchObject({
      permits: 2,
      days_covered: 2,
      ask: true,
      templates: [
        { template_id: 'daily', permits: 2, ask: true, reason: 'few_left' },
        { template_id: 'weekly', permits: 1, ask: true, reason: 'few_left' },
      ],
    })
    await subscribing
      .db('wx_user')
      .update({ opted_out_at: EIGHT, stop_errcode: 43101, stop_template_id: 'daily' })
    expect((await get('?user_id=1', API_KEY, subscribing)).body).toMatchObject({
      ask: true,
      reason: 'refused',
      templates: [{ reason: 'refused' }, { reason: 'few_left' }],
    })
    await subscribing.db('wx_user').update({ stop_errcode: null, stop_template_id: null })
    expect((await get('?user_id=1', API_KEY, subscribing)).body).toMatchObject({
      ask: false,
      templates: [
        { ask: false, reason: 'opted_out' },
        { ask: false, reason: 'opted_out' },
      ],
    })
  })

  test('seven of a template are enough, whatever is left of another', async () => {
    for (let tap = 0; tap < 7; tap++)
      await subscribing.post('/v1/subscriptions', {
        open_id: 'o1',
        user_id: 1,
        template_id: 'weekly',
        result: 'accept',
        tap_id: `t${tap}`,
      })
    expect((await get('?user_id=1', API_KEY, subscribing)).body).toMatchObject({
      permits: 0,
      templates: [
        { template_id: 'daily', ask: true, reason: 'none_left' },
        { template_id: 'weekly', permits: 7, ask: false, reason: 'enough' },
      ],
    })
    expect((await get('?user_id=1')).body).toMatchObject({ templates: [] })
  })

  test('a session asks about its own user, and a backend by open_id too', async () => {
    await upload(2)
    const token = await service.tokenOf('o1')
    expect(await get('', token)).toMatchObject({ status: 200, body: { user_id: 1, permits: 2 } })
    expect(await get('?open_id=o1')).toMatchObject({ status: 200, body: { user_id: 1, permits: 2 } })
  })

  test.each([
    ['', 422, 'user_id'],
    ['?user_id=', 422, 'user_id'],
    ['?user_id=x', 422, 'user_id'],
    ['?user_id=-1', 422, 'user_id'],
    ['?user_id=9223372036854775808', 422, 'user_id'],
    ['?user_id=1&user_id=2', 422, 'user_id'],
    ['?user_id=1&open_id=o1', 422, 'open_id'],
    ['?open_id=two%20words', 422, 'open_id'],
    ['?name=1', 422, 'name'],
  ])('a query of "%s" is answered %i', async (query, status, field) => {
    expect(await get(query)).toMatchObject({ status, body: { error: { details: { field } } } })
  })

  test('a question about nobody changes nothing', async () => {
    expect(await get('?open_id=oNobody')).toMatchObject({
      status: 409,
      body: { error: { code: 'user_not_bound' } },
    })
    expect(await service.db('wx_user')).toEqual([])
    expect((await service.request('GET', '/v1/permits?user_id=1')).status).toBe(401)
  })

  test('a session may not ask about others', async () => {
    await upload(1)
    const token = await service.tokenOf('o1')
    for (const query of ['?user_id=2', '?user_id=1', '?open_id=o2'])
      expect(await get(query, token)).toMatchObject({ status: 422 })
    const before = await countRows(service.db)
    now += DAY_MS
    expect((await get('', token)).status).toBe(200)
    expect(await countRows(service.db)).toEqual(before)
  })
})
