import { afterAll, describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { audit } from '../../src/operations/audit.js'
import { DAY_MS, NOW } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { countRows } from '../helpers/rows.js'
import { startTestService, useService } from '../helpers/service.js'

const PATH = '/v1/form-ids'
const item = (formId: string | null, userId = 1) => ({
  open_id: `o-user-${userId}`,
  user_id: userId,
  form_id: formId,
})

describe.each(dialects)('POST /v1/form-ids of a service account on %s', (dialect) => {
  const service = useService(dialect, { now: () => NOW, env: { WX_CHANNEL: 'official' } })

  test.each([
    ['form_id', item('F1')],
    ['prepay_id', { open_id: 'o-user-1', user_id: 1, prepay_id: 'P1' }],
    ['items.0.form_id', { items: [item('F1'), item('F2')] }],
  ])('is refused, and stores nothing, by the field %s', async (field, body) => {
    const refused = await service.post(PATH, body)
    expect(refused).toMatchObject({
      status: 422,
      body: {
        error: { code: 'unknown_template', message: expect.stringContaining('app_id of the mini-program') },
      },
    })
    expect(JSON.stringify(refused.body)).toContain(`"${field}"`)
    const counts = await countRows(service.db)
    expect(counts).toMatchObject({ wx_save_form_id: 0, wx_message_push_status: 0 })
    expect(await service.db('wx_user')).toEqual([])
  })
})

test('an account on subscribe keeps form_ids, so that it can go back to them', async () => {
  const service = await startTestService('sqlite', { env: { WX_CHANNEL: 'subscribe' } })
  expect(await service.post(PATH, item('F1'))).toMatchObject({ status: 201, body: { accepted: 1 } })
  await service.close()
})

describe.each(dialects)('POST /v1/form-ids on %s', (dialect) => {
  const service = useService(dialect, { now: () => NOW })

  const permits = () =>
    selectRows<{ form_id: string; user_id: number; expire: number; page: string | null; status: number }>(
      service.db,
      'SELECT form_id, user_id, expire, page, status FROM wx_save_form_id ORDER BY id',
    )
  const counters = () =>
    selectRows<{ user_id: number; count: number }>(
      service.db,
      'SELECT user_id, count FROM wx_message_push_status ORDER BY user_id',
    )

  test('stores one form_id for seven days and counts it', async () => {
    const answer = await service.post(PATH, item('F1'))
    expect(answer.status).toBe(201)
    expect(answer.body).toEqual({
      accepted: 1,
      duplicates: 0,
      rejected: 0,
      results: [{ form_id: 'F1', outcome: 'accepted' }],
    })
    expect(await permits()).toEqual([
      { form_id: 'F1', user_id: 1, expire: NOW + 7 * DAY_MS, page: null, status: 0 },
    ])
    expect(await counters()).toEqual([{ user_id: 1, count: 1 }])
  })

  test('answers a batch item by item, in order', async () => {
    const items = [item('F1'), item('the formId is a mock one'), item('F2', 2), item('F1'), item('F3')]
    const answer = await service.post(PATH, { items })
    expect(answer.body).toEqual({
      accepted: 3,
      duplicates: 1,
      rejected: 1,
      results: [
        { form_id: 'F1', outcome: 'accepted' },
        { form_id: 'the formId is a mock one', outcome: 'rejected', reason: 'mock' },
        { form_id: 'F2', outcome: 'accepted' },
        { form_id: 'F1', outcome: 'duplicate' },
        { form_id: 'F3', outcome: 'accepted' },
      ],
    })
    expect(await counters()).toEqual([
      { user_id: 1, count: 2 },
      { user_id: 2, count: 1 },
    ])
  })

  test('takes a thousand items at once, and not one more', async () => {
    const items = Array.from({ length: 1_001 }, (_, i) => item(`F${i}`, i % 400))
    const tooMany = await service.post(PATH, { items })
    expect(tooMany.status).toBe(422)
    expect(tooMany.body).toMatchObject({ error: { code: 'invalid_request', details: { field: 'items' } } })
    expect(await permits()).toEqual([])

    const answer = await service.post(PATH, { items: items.slice(0, 1_000) })
    expect(answer.status).toBe(201)
    expect(answer.body).toMatchObject({ accepted: 1_000 })
    expect(await permits()).toHaveLength(1_000)
    expect(await audit(service.db, NOW, false)).toMatchObject({ ok: true })
  })

  test('changes nothing when the same upload comes again', async () => {
    const items = [item('F1'), item('F2', 2)]
    await service.post(PATH, { items })
    const before = [await permits(), await counters()]
    const again = await service.post(PATH, { items: [...items].reverse() })
    expect(again.status).toBe(201)
    expect(again.body).toMatchObject({ accepted: 0, duplicates: 2, rejected: 0 })
    expect([await permits(), await counters()]).toEqual(before)
  })

  test('counts a form_id once that many callers upload at the same moment', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => service.post(PATH, item('F1'))))
    expect(answers.map(({ status }) => status)).toEqual(Array(40).fill(201))
    const accepted = answers.map(({ body }) => (body as { accepted: number }).accepted)
    expect(accepted.reduce((a, b) => a + b)).toBe(1)
    expect(await counters()).toEqual([{ user_id: 1, count: 1 }])
  })

  test('keeps a form_id with its first user', async () => {
    await service.post(PATH, item('F1'))
    const other = await service.post(PATH, item('F1', 2))
    expect(other.status).toBe(201)
    expect(other.body).toMatchObject({
      rejected: 1,
      results: [{ form_id: 'F1', outcome: 'rejected', reason: 'belongs_to_another_user' }],
    })
    expect(await counters()).toEqual([{ user_id: 1, count: 1 }])
  })

  test('tells form_ids apart that differ in upper and lower case only', async () => {
    const answer = await service.post(PATH, { items: [item('abc'), item('ABC'), item('abC')] })
    expect(answer.body).toMatchObject({ accepted: 3 })
    expect(await counters()).toEqual([{ user_id: 1, count: 3 }])
  })

  test.each([
    ['the formId is a mock one', 'mock'],
    ['THE FORMID IS A MOCK ONE', 'mock'],
    ['the formId is no longer available in develop or trial version of this mini program', 'trial_version'],
    ['requestFormId:fail deprecated', 'request_failed'],
    ['requestFormId:fail', 'request_failed'],
    ['', 'empty'],
    ['   ', 'empty'],
    [null, 'empty'],
    ['undefined', 'empty'],
    ['null', 'empty'],
    ['签到', 'malformed'],
    ['😀', 'malformed'],
    ['\ud800', 'malformed'],
    ['a b', 'malformed'],
    ['a\u0000b', 'malformed'],
    ["a\nb'; DROP TABLE wx_save_form_id; --", 'malformed'],
    ['x'.repeat(129), 'malformed'],
  ])('refuses %j with a reason', async (formId, reason) => {
    const answer = await service.post(PATH, item(formId))
    expect(answer.status).toBe(201)
    expect(answer.body).toEqual({
      accepted: 0,
      duplicates: 0,
      rejected: 1,
      results: [{ form_id: formId, outcome: 'rejected', reason }],
    })
    expect(await permits()).toEqual([])
    expect(await counters()).toEqual([])
  })

  test('stores without the blanks around it', async () => {
    await service.post(PATH, item('  F1\n'))
    expect(await permits()).toMatchObject([{ form_id: 'F1' }])
  })

  test.each([
    ['a day ago', NOW - DAY_MS, NOW + 6 * DAY_MS],
    ['in the future', NOW + DAY_MS, NOW + 7 * DAY_MS],
    ['at the end of time', 1e308, NOW + 7 * DAY_MS],
  ])('counts the seven days from a submit %s, never from later than now', async (_, submittedAt, expire) => {
    await service.post(PATH, { ...item('F1'), submitted_at: submittedAt })
    expect(await permits()).toMatchObject([{ form_id: 'F1', expire }])
  })

  test.each([100_000_000_000, NOW - 8 * DAY_MS, NOW - 7 * DAY_MS + 60_000])(
    'refuses one that ran out, submitted at %d',
    async (submittedAt) => {
      const answer = await service.post(PATH, { ...item('F1'), submitted_at: submittedAt })
      expect(answer.body).toMatchObject({ results: [{ outcome: 'rejected', reason: 'expired' }] })
      expect(await counters()).toEqual([])
    },
  )

  test('keeps a page with any characters', async () => {
    const pages = ['pages/签到?from=😀', "'; -- \\ %_", '😀'.repeat(255), 'tab\tand\r\nlines']
    const items = pages.map((page, i) => ({ ...item(`F${i}`), page }))
    expect((await service.post(PATH, { items })).status).toBe(201)
    expect((await permits()).map(({ page }) => page)).toEqual(pages)
  })

  test('takes half an emoji in a page, as it comes from texts that were cut', async () => {
    expect((await service.post(PATH, { ...item('F1'), page: 'a\ud83d' })).status).toBe(201)
    expect(await permits()).toHaveLength(1)
  })

  test('takes the largest user number that JavaScript has exactly, and zero', async () => {
    const items = [item('F1', Number.MAX_SAFE_INTEGER), item('F2', 0)]
    await service.post(PATH, { items })
    expect(await counters()).toEqual([
      { user_id: 0, count: 1 },
      { user_id: Number.MAX_SAFE_INTEGER, count: 1 },
    ])
  })
})

describe('POST /v1/form-ids, before the database is asked,', () => {
  const service = useService('sqlite', { keepRows: true })
  afterAll(async () => {
    const rows = await countRows(service.db)
    expect(rows).toMatchObject({ wx_save_form_id: 0, wx_message_push_status: 0 })
  })

  describe('names the field that is wrong', () => {
    const good = { ...item('F9'), page: 'p', submitted_at: NOW }
    const wrong: [field: string, value: unknown][] = [
      ['open_id', undefined],
      ['open_id', null],
      ['open_id', 1],
      ['open_id', ''],
      ['open_id', 'two words'],
      ['open_id', '签到'],
      ['open_id', 'o'.repeat(101)],
      ['open_id', ['o']],
      ['user_id', undefined],
      ['user_id', null],
      ['user_id', '01'],
      ['user_id', -1],
      ['user_id', 1.5],
      ['user_id', 2 ** 64],
      ['user_id', '9223372036854775808'],
      ['user_id', 1e300],
      ['user_id', true],
      ['user_id', {}],
      ['form_id', undefined],
      ['form_id', 1],
      ['form_id', []],
      ['form_id', { $ne: null }],
      ['form_id', 'x'.repeat(1_001)],
      ['page', null],
      ['page', 1],
      ['page', 'p'.repeat(256)],
      ['submitted_at', null],
      ['submitted_at', '2026-11-20'],
      ['submitted_at', -1],
      ['submitted_at', 1.5],
      ['submitted_at', Math.floor(NOW / 1_000)],
      ['unknown', 1],
      ['constructor', 1],
      ['toString', 'x'],
    ]

    test.each(wrong)('%s: %j', async (field, value) => {
      const bad = { ...good, [field]: value }
      const single = await service.post(PATH, bad)
      expect(single.status).toBe(422)
      expect(single.body).toMatchObject({
        error: { code: 'invalid_request', message: expect.stringContaining(`${field}:`), details: { field } },
      })
      const batch = await service.post(PATH, { items: [bad] })
      expect(batch.status).toBe(422)
      expect(batch.body).toMatchObject({ error: { details: { field: `items.0.${field}` } } })
    })

    test.each([
      ['null', 'body'],
      ['[]', 'body'],
      ['3', 'body'],
      ['"text"', 'body'],
      ['{}', 'form_id'],
      ['{"items":null}', 'items'],
      ['{"items":{}}', 'items'],
      ['{"items":[]}', 'items'],
      ['{"items":[null]}', 'items.0'],
      ['{"items":[[]]}', 'items.0'],
      ['{"items":[{}]}', 'items.0.form_id'],
    ])('in a body of %s', async (body, field) => {
      const answer = await service.post(PATH, body)
      expect(answer.status).toBe(422)
      expect(answer.body).toMatchObject({ error: { code: 'invalid_request', details: { field } } })
    })
  })

  test.each([
    '{"__proto__":{"open_id":"o"},"open_id":"o","user_id":1,"form_id":"F1"}',
    '{"items":[{"open_id":"o","user_id":1,"form_id":"F1","__proto__":{"page":1}}]}',
    '{"open_id":"o","user_id":1,"form_id":"F1","constructor":{"prototype":{"polluted":true}}}',
  ])('refuses keys that reach for prototypes: %s', async (body) => {
    expect((await service.post(PATH, body)).status).toBe(400)
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })
})
