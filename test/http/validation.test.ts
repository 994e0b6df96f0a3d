import { describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { API_KEY, useService } from '../helpers/service.js'
import { calculated } from '../helpers/stopwatch.js'

const service = useService('sqlite')
const PATH = '/v1/form-ids'
const good = (n: number) => ({ open_id: `o${n}`, user_id: n, form_id: `form-${n}` })

const stored = async () =>
  (
    await selectRows<{ form_id: string }>(service.db, 'SELECT form_id FROM wx_save_form_id ORDER BY form_id')
  ).map(({ form_id }) => form_id)

describe('what is wrong with a body', () => {
  test('is told all at once', async () => {
    const answer = await service.post(PATH, { openId: 'o1', user_id: -1, form_id: 7 })
    expect(answer.status).toBe(422)
    expect(answer.body).toMatchObject({
      error: {
        code: 'invalid_request',
        message: expect.stringMatching(/and \d more: see details\.faults$/),
        details: {
          faults: expect.arrayContaining([
            { field: 'openId', message: 'is not known here; did you mean "open_id"?' },
            { field: 'user_id', message: 'must be >= 0' },
            { field: 'form_id', message: 'must be a string or null' },
          ]),
        },
      },
    })
  })

  test('is told in twenty faults at most, and the number of the others', async () => {
    const wrong = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`field${i}`, i]))
    const { body } = await service.post(PATH, { ...good(1), ...wrong })
    expect(body).toMatchObject({ error: { details: { field: 'field0', more: 30 } } })
    expect((body as { error: { details: { faults: [] } } }).error.details.faults).toHaveLength(20)
  })

  test.each([
    ['openid', 'open_id'],
    ['OpenID', 'open_id'],
    ['userid', 'user_id'],
    ['formId', 'form_id'],
    ['submittedAt', 'submitted_at'],
  ])('is a near name: for %s it asks whether %s was meant', async (written, meant) => {
    const { body } = await service.post(PATH, { ...good(1), [written]: 'x' })
    expect(JSON.stringify(body)).toContain(`did you mean \\"${meant}\\"?`)
  })

  test('is no near name where none is near', async () => {
    const { body } = await service.post(PATH, { ...good(1), color: 'x' })
    expect(body).toMatchObject({ error: { message: 'color: is not known here' } })
  })

  test('is a time in seconds', async () => {
    const { body } = await service.post(PATH, { ...good(1), submitted_at: 1_795_000_000 })
    expect(body).toMatchObject({
      error: {
        message: 'submitted_at: looks like seconds: send milliseconds, such as 1795000000000',
        details: { field: 'submitted_at' },
      },
    })
  })
})

/** The fields and messages of a failure, in their order. */
function faultsIn(body: unknown): [string, string][] {
  const { message, details } = (
    body as {
      error: { message: string; details: { field: string; faults?: { field: string; message: string }[] } }
    }
  ).error
  if (details.faults) return details.faults.map((fault) => [fault.field, fault.message])
  return [[details.field, message.slice(details.field.length + 2)]]
}

describe('each fault is told once, in words:', () => {
  const pattern = 'must match pattern'
  test.each<[string, unknown, [string, string][]]>([
    ['no object', [], [['body', 'must be an object']]],
    ['a kind too many', { ...good(1), form_id: 7 }, [['form_id', 'must be a string or null']]],
    [
      'too long a text, where null may be too',
      { ...good(1), form_id: 'x'.repeat(1_001) },
      [['form_id', 'must NOT have more than 1000 characters']],
    ],
    ['no whole number', { ...good(1), submitted_at: 0.5 }, [['submitted_at', 'must be a whole number']]],
    ['one of two types', { ...good(1), user_id: true }, [['user_id', 'must be a whole number or a string']]],
    ['items without an s', { item: [] }, [['item', 'is not known here; did you mean "items"?']]],
    ['an empty batch', { items: [] }, [['items', 'must NOT have fewer than 1 items']]],
  ])('%s', async (_, body, faults) => {
    expect(faultsIn((await service.post(PATH, body)).body)).toEqual(faults)
  })

  test('a near name before the field that is missing for it, and a name by its place', async () => {
    const message = { user_id: 1, template: 'x', data: { 'k e': 'x', ok: 7 } }
    const { body } = await service.post('/v1/messages', message, { 'idempotency-key': 'k' })
    expect(faultsIn(body)).toEqual([
      ['template', 'is not known here; did you mean "template_id"?'],
      ['template_id', 'is missing'],
      ['data.k e', expect.stringMatching(`^the name ${pattern}`)],
      ['data.ok', 'must be a string'],
    ])
  })

  test('a header as one', async () => {
    const message = { user_id: 1, template_id: 'x', data: { keyword1: 'x' } }
    const { body } = await service.post('/v1/messages', message)
    expect(faultsIn(body)).toEqual([['idempotency-key', 'is missing; it is a header']])
  })

  test('those of a query', async () => {
    const headers = { authorization: `Bearer ${API_KEY}` }
    const query = 'befor=1&limit=500&state=deed'
    const { status, body } = await service.request('GET', `/v1/messages?${query}`, { headers })
    expect(status).toBe(422)
    expect(faultsIn(body)).toEqual([
      ['befor', 'is not known here; did you mean "before"?'],
      ['state', expect.stringMatching(/^must be one of queued, .*; did you mean "dead"\?$/)],
      ['limit', expect.stringMatching(`^${pattern} .* \\(1 to 100; 30 if left out\\)$`)],
    ])
  })

  test('at most twenty, however many items have one', async () => {
    const { body } = await service.post(PATH, { items: Array(30).fill({ open_id: 1, user_id: true }) })
    expect(faultsIn(body)).toHaveLength(20)
    expect(body).toMatchObject({
      error: {
        message: 'items.0.open_id: must be a string, and 59 more: see details.faults',
        details: { field: 'items.0.open_id', more: 40 },
      },
    })
  })

  test('the first alone of tens of thousands', async () => {
    const names = Object.fromEntries(Array.from({ length: 80_000 }, (_, i) => [`o${i}`, 1]))
    for (const [body, field] of [
      [names, /^o\d+$/],
      [{ items: [names] }, /^items\.0\.o\d+$/],
    ] as const) {
      const answer = await service.post(PATH, body)
      expect(answer.status).toBe(422)
      expect(faultsIn(answer.body)).toEqual([[expect.stringMatching(field), 'is not known here']])
    }
  })
})

describe('a batch', () => {
  test('stores its good items, and says of each other one what is wrong with it', async () => {
    const bad = [
      { ...good(2), form_id: 7 },
      'text',
      { ...good(3), open_id: undefined },
      { ...good(4), prepay_id: 'p' },
    ]
    const answer = await service.post(PATH, { items: [good(1), ...bad, good(5)] })
    expect(answer.status).toBe(201)
    const invalid = (field: string) => ({
      outcome: 'rejected',
      reason: 'invalid',
      error: { code: 'invalid_request', details: { field } },
    })
    expect(answer.body).toMatchObject({
      accepted: 2,
      duplicates: 0,
      rejected: 4,
      results: [
        { form_id: 'form-1', outcome: 'accepted' },
        invalid('items.1.form_id'),
        invalid('items.2'),
        invalid('items.3.open_id'),
        invalid('items.4.prepay_id'),
        { form_id: 'form-5', outcome: 'accepted' },
      ],
    })
    expect(await stored()).toEqual(['form-1', 'form-5'])
  })

  test('of which no item can be taken is refused as a whole, with the faults of all', async () => {
    const answer = await service.post(PATH, { items: [{}, { ...good(1), form_id: 7 }] })
    expect(answer.status).toBe(422)
    expect(answer.body).toMatchObject({
      error: {
        details: {
          faults: expect.arrayContaining([
            expect.objectContaining({ field: expect.stringContaining('items.1.form_id') }),
          ]),
        },
      },
    })
    expect(await stored()).toEqual([])
  })

  test('with more items than may be is refused at the first fault, however many it has', async () => {
    const { result: answer, ms } = await calculated(() =>
      service.post(PATH, { items: Array(200_000).fill({}) }),
    )
    expect(answer.status).toBe(422)
    expect(answer.body).toMatchObject({ error: { details: { field: 'items' } } })
    expect(ms).toBeLessThan(5_000)
  })
})
