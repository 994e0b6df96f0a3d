import { afterEach, describe, expect, test } from 'vitest'
import { MAX_OPEN_PER_USER } from '../../src/submitted/add-messages.js'
import { DAY_MS, TEMPLATE_ID } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { addPermits } from '../helpers/rows.js'
import { API_KEY, OTHER_API_KEY, useService } from '../helpers/service.js'

const UPPER_CASE_KEY = 'key-of-the-other-shop-51c0de'
const DATA = { keyword1: '您的包裹已到' }
const HUGE = '9223372036854775807'

interface Result {
  id?: number
  state?: string
  error?: { code: string; message: string; details?: { field?: string } }
}

describe.each(dialects)('POST /v1/messages on %s', (dialect) => {
  const service = useService(dialect, {
    env: {
      REMINDER_TEMPLATE_ID: TEMPLATE_ID,
      REMINDER_DATA: '{"keyword1":"x"}',
      TEMPLATES: 'SECOND',
      API_KEYS: `shop:${API_KEY},app:${OTHER_API_KEY},Shop:${UPPER_CASE_KEY}`,
    },
    // Nobody is sent anything: WeChat is not there.
    wechatUrl: () => 'http://127.0.0.1:1',
  })
  afterEach(async () => {
    for (const table of ['wx_submission', 'wx_submitted_message', 'wx_message_attempt'])
      await service.db(table).delete()
  })
  const later = () => Date.now() + DAY_MS

  const message = (changes: object = {}) => ({
    user_id: 1,
    template_id: TEMPLATE_ID,
    data: DATA,
    not_before: later(),
    not_after: later() + DAY_MS,
    ...changes,
  })
  const post = async (body: unknown, key = 'key-1', apiKey = API_KEY) => {
    const answer = await service.post('/v1/messages', body, {
      'idempotency-key': key,
      authorization: `Bearer ${apiKey}`,
    })
    return { status: answer.status, body: answer.body as Result & { results: Result[] } }
  }
  const permitsOf = (userId: number, count: number) =>
    addPermits(
      service.db,
      Array.from({ length: count }, () => ({ user_id: userId, expire: Date.now() + 6 * DAY_MS })),
    )
  const countOf = async (table: string) => Number((await service.db(table).count({ n: '*' }))[0]?.n)

  test('answers the same request with the same message, and queues it once', async () => {
    await permitsOf(1, 2)
    const body = message()
    const first = await post(body)
    expect(first).toMatchObject({ status: 202, body: { state: 'queued' } })
    const { user_id, ...rest } = body
    expect(await post({ ...rest, user_id })).toEqual(first)
    expect(await countOf('wx_push_message')).toBe(1)
  })

  test('answers a request that comes several times at once with one message', async () => {
    await permitsOf(1, 9)
    const body = message()
    const answers = await Promise.all(Array.from({ length: 8 }, () => post(body)))
    expect(new Set(answers.map(({ status, body: { id } }) => `${status} ${id}`)).size).toBe(1)
    expect(answers[0]?.status).toBe(202)
    expect(await countOf('wx_push_message')).toBe(1)
  })

  test('refuses a key that was sent with another body, and keeps the keys of two backends apart', async () => {
    await permitsOf(1, 3)
    const body = message()
    await post(body)
    expect(await post({ ...body, page: 'pages/other' })).toMatchObject({
      status: 409,
      body: { error: { code: 'idempotency_conflict' } },
    })
    expect(await post(body, 'key-1', OTHER_API_KEY)).toMatchObject({ status: 202, body: { state: 'queued' } })
    expect(await countOf('wx_push_message')).toBe(2)
  })

  test.each(['url', 'miniprogram', 'pagepath'])('says that %s is called page here', async (name) => {
    expect(await post({ ...message(), [name]: 'pages/parcel/index' })).toMatchObject({
      status: 422,
      body: { error: { code: 'invalid_request', message: expect.stringContaining('did you mean "page"?') } },
    })
  })

  test('keeps the keys of backends apart whose names differ by their case alone', async () => {
    await permitsOf(1, 3)
    const body = message()
    const { body: first } = await post(body)
    const { body: second } = await post({ ...body, page: 'pages/other' }, 'key-1', UPPER_CASE_KEY)
    expect(second).toMatchObject({ state: 'queued' })
    expect(second.id).not.toBe(first.id)
    expect((await post(body)).body).toEqual(first)
  })

  test('stores the good ones of a batch, and names what is wrong with each of the others', async () => {
    await permitsOf(1, 1)
    const { body, status } = await post({
      items: [
        message(),
        message({ template_id: 'STRANGER' }),
        message({ user_id: 2 }),
        message({ data: {} }),
        message({ not_before: Math.floor(Date.now() / 1000) }),
        message({ not_after: 1 + Date.now() + 8 * DAY_MS }),
        message({ user_id: undefined, open_id: 'oNobody' }),
        message({ open_id: 'oBoth' }),
        'not a message',
      ],
    })
    expect(status).toBe(202)
    expect(body.results.map(({ state, error }) => state ?? error?.code)).toEqual([
      'queued',
      'unknown_template',
      'no_permit',
      'invalid_request',
      'invalid_request',
      'invalid_request',
      'user_not_bound',
      'invalid_request',
      'invalid_request',
    ])
    expect(body.results[4]?.error?.message).toContain('looks like seconds')
    expect(body.results[3]?.error?.details).toEqual({ field: 'items.3.data' })
    expect(await countOf('wx_submitted_message')).toBe(2)
  })

  test('refuses a single message that is wrong, without taking its key', async () => {
    await permitsOf(1, 1)
    expect(await post(message({ template_id: 'STRANGER' }))).toMatchObject({
      status: 422,
      body: { error: { code: 'unknown_template', details: { known: [TEMPLATE_ID, 'SECOND'] } } },
    })
    expect(await post(message({ template_id: 'SECOND' }))).toMatchObject({ body: { state: 'queued' } })
    expect((await service.post('/v1/messages', message())).status).toBe(422)
  })

  test('takes a user_id beyond 2^53, and answers it as digits', async () => {
    const { body } = await post(message({ user_id: HUGE }))
    expect(body.state).toBe('no_permit')
    const answer = await service.request('GET', `/v1/messages/${body.id}`, {
      headers: { authorization: `Bearer ${API_KEY}` },
    })
    expect(answer.body).toMatchObject({ user_id: HUGE, state: 'no_permit', data: DATA })
    const list = await service.request('GET', `/v1/messages?user_id=${HUGE}&state=no_permit`, {
      headers: { authorization: `Bearer ${API_KEY}` },
    })
    expect((list.body as { items: unknown[] }).items).toHaveLength(1)
  })

  test('keeps a backend from holding more than a few permits of a user', async () => {
    await permitsOf(1, MAX_OPEN_PER_USER + 5)
    const items = Array.from({ length: MAX_OPEN_PER_USER + 2 }, () => message())
    const { body } = await post({ items })
    expect(body.results.filter(({ state }) => state === 'queued')).toHaveLength(MAX_OPEN_PER_USER)
    expect(body.results.slice(-2).map(({ error }) => error?.code)).toEqual([
      'too_many_messages',
      'too_many_messages',
    ])
    expect(await post(message(), 'key-2')).toMatchObject({
      status: 429,
      body: { error: { code: 'too_many_messages' } },
    })
  })

  test('refuses a message to a user who wants none', async () => {
    await permitsOf(1, 1)
    await service.db('wx_user').insert({
      app_id: service.account.appId,
      open_id: 'o1',
      user_id: 1,
      opted_out_at: 5,
      created_at: 1,
      updated_at: 1,
    })
    expect(await post(message())).toMatchObject({ status: 409, body: { error: { code: 'user_stopped' } } })
  })

  test('takes a thousand messages in one request, with a permit each', async () => {
    await addPermits(
      service.db,
      Array.from({ length: 1_000 }, (_, i) => ({ user_id: i + 1, expire: Date.now() + 6 * DAY_MS })),
    )
    const items = Array.from({ length: 1_000 }, (_, i) => message({ user_id: i + 1 }))
    const { body } = await post({ items })
    expect(body.results.map(({ state }) => state)).toEqual(items.map(() => 'queued'))
    expect(new Set(body.results.map(({ id }) => id)).size).toBe(1_000)
    const rows: { user_id: number; id: number }[] = await service
      .db('wx_push_message')
      .whereNotNull('permit_id')
      .select('user_id', 'id')
      .orderBy('id')
    expect(rows.map(({ user_id }) => user_id)).toEqual(items.map(({ user_id }) => user_id))
    expect(rows.map(({ id }) => id)).toEqual(body.results.map(({ id }) => id))
  })
})
