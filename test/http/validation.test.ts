import { describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { useService } from '../helpers/service.js'

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
            { field: 'form_id', message: expect.stringContaining('must be string') },
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
    const began = performance.now()
    const answer = await service.post(PATH, { items: Array(200_000).fill({}) })
    expect(answer.status).toBe(422)
    expect(answer.body).toMatchObject({ error: { details: { field: 'items' } } })
    expect(performance.now() - began).toBeLessThan(5_000)
  })
})
