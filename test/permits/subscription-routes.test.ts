import { describe, expect, test } from 'vitest'
import { inTransaction } from '../../src/db/transaction.js'
import { audit } from '../../src/operations/audit.js'
import { acceptTap } from '../../src/permits/subscriptions.js'
import { APP_ID, NOW } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { counts } from '../helpers/rows.js'
import { useSessionService } from '../helpers/sessions.js'

const PATH = '/v1/subscriptions'

describe.each(dialects)('POST /v1/subscriptions on %s', (dialect) => {
  const service = useSessionService(dialect, {
    now: () => NOW,
    env: { RATE_LIMITS: 'session:unlimited', WX_CHANNEL: 'subscribe', TEMPLATES: 'daily,weekly' },
  })

  const item = (values: object = {}) => ({
    open_id: 'o1',
    user_id: 1,
    template_id: 'daily',
    result: 'accept',
    ...values,
  })
  const permits = () => service.db('wx_save_form_id').orderBy('id')

  test('an accept is a permit that does not expire', async () => {
    expect(await service.post(PATH, item({ tap_id: 'tap-1', tapped_at: NOW - 5 }))).toMatchObject({
      status: 201,
      body: {
        accepted: 1,
        duplicates: 0,
        refused: 0,
        results: [{ template_id: 'daily', outcome: 'accepted' }],
      },
    })
    expect(await permits()).toMatchObject([
      { source: 'subscribe', template_id: 'daily', open_id: 'o1', user_id: 1, tapped_at: NOW - 5, status: 0 },
    ])
    expect(await counts(service.db, APP_ID)).toEqual({ 1: 1 })
    expect(await audit(service.db, NOW, false)).toMatchObject({ ok: true })
  })

  test.each([
    ['accept', undefined],
    ['acceptWithAudio', undefined],
    ['acceptWithAlert', undefined],
    ['reject', 'rejected'],
    ['ban', 'banned'],
    ['filter', 'filtered'],
    ['Accept', 'unknown_result'],
    ['constructor', 'unknown_result'],
  ])('a result of %s', async (result, reason) => {
    const { status, body } = await service.post(PATH, item({ result }))
    expect(status).toBe(201)
    expect(body).toMatchObject(
      reason === undefined
        ? { accepted: 1, results: [{ outcome: 'accepted' }] }
        : { refused: 1, results: [{ template_id: 'daily', outcome: 'refused', reason }] },
    )
    expect(await permits()).toHaveLength(reason === undefined ? 1 : 0)
  })

  test('a batch is answered item by item, in order', async () => {
    const items = [
      item({ tap_id: 't1' }),
      item({ tap_id: 't1', template_id: 'weekly', result: 'reject' }),
      item({ tap_id: 't1' }),
      item({ tap_id: 't1', open_id: 'o2', user_id: 2 }),
      item({ tap_id: 't2', user_id: 2 }),
    ]
    expect((await service.post(PATH, { items })).body).toEqual({
      accepted: 2,
      duplicates: 1,
      refused: 2,
      results: [
        { template_id: 'daily', outcome: 'accepted' },
        { template_id: 'weekly', outcome: 'refused', reason: 'rejected' },
        { template_id: 'daily', outcome: 'duplicate' },
        { template_id: 'daily', outcome: 'accepted' },
        { template_id: 'daily', outcome: 'refused', reason: 'open_id_of_another_user' },
      ],
    })
    expect(await counts(service.db, APP_ID)).toEqual({ 1: 1, 2: 1 })
  })

  test('a report that comes again counts once, by the name or the time of its tap', async () => {
    for (const report of [{ tap_id: 't1', tapped_at: NOW }, { tapped_at: NOW - 60_000 * 60 }]) {
      const answers = []
      for (let i = 0; i < 3; i++) answers.push((await service.post(PATH, item(report))).body)
      expect(answers).toMatchObject([{ accepted: 1 }, { duplicates: 1 }, { duplicates: 1 }])
    }
    expect(await counts(service.db, APP_ID)).toEqual({ 1: 2 })
  })

  test('a report without either is a tap of its own each time', async () => {
    await service.post(PATH, item())
    await service.post(PATH, item())
    expect(await counts(service.db, APP_ID)).toEqual({ 1: 2 })
  })

  test('many reports of one tap at once are one permit', async () => {
    const answers = await Promise.all(
      Array.from({ length: 15 }, () => service.post(PATH, item({ tap_id: 't1' }))),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array(15).fill(201))
    expect(await counts(service.db, APP_ID)).toEqual({ 1: 1 })
  })

  test('the event of the same tap makes no second permit', async () => {
    await service.post(PATH, item({ tap_id: 't1' }))
    const event = { appId: APP_ID, openId: 'o1', userId: 1, templateId: 'daily', tappedAt: NOW + 2_000 }
    const outcome = await inTransaction(service.db, (trx) =>
      acceptTap(trx, { ...event, reportId: 'event-1', reporter: 'event' }, NOW + 3_000),
    )
    expect(outcome).toBe('duplicate')
    expect(await counts(service.db, APP_ID)).toEqual({ 1: 1 })
  })

  test('a report of a template that the account does not use is refused, with what to do', async () => {
    expect(await service.post(PATH, item({ template_id: 'old' }))).toMatchObject({
      status: 422,
      body: {
        error: {
          code: 'unknown_template',
          message: expect.stringMatching(
            /no template old.*: daily, weekly\. .*TEMPLATES.*REMINDER_TEMPLATE_ID/,
          ),
          details: { field: 'template_id', template_id: 'old', known: ['daily', 'weekly'] },
        },
      },
    })
    expect(await permits()).toEqual([])
    expect(await service.db('wx_user')).toEqual([])
  })

  test('of a batch, only the item of an unknown template is refused', async () => {
    const items = [item({ tap_id: 't1', template_id: 'old' }), item({ tap_id: 't1', template_id: 'weekly' })]
    expect(await service.post(PATH, { items })).toMatchObject({
      status: 201,
      body: {
        accepted: 1,
        refused: 1,
        results: [
          {
            template_id: 'old',
            outcome: 'refused',
            reason: 'unknown_template',
            error: { code: 'unknown_template', message: expect.stringContaining('TEMPLATES') },
          },
          { template_id: 'weekly', outcome: 'accepted' },
        ],
      },
    })
    expect(await permits()).toMatchObject([{ template_id: 'weekly' }])
  })

  test('an item that is wrong is answered with its fault, and the others are reported', async () => {
    expect(await service.post(PATH, { items: [item({ result: 1 }), item()] })).toMatchObject({
      status: 201,
      body: {
        accepted: 1,
        refused: 1,
        results: [
          { outcome: 'refused', reason: 'invalid', error: { details: { field: 'items.0.result' } } },
          { outcome: 'accepted' },
        ],
      },
    })
  })

  test('a tap from before a refusal is answered outdated', async () => {
    await service.post(PATH, item({ tap_id: 't1' }))
    await service.db('wx_user').update({ opted_out_at: NOW, stop_errcode: 43101 })
    expect((await service.post(PATH, item({ tap_id: 't2', tapped_at: NOW - 1 }))).body).toMatchObject({
      results: [{ outcome: 'refused', reason: 'outdated' }],
    })
  })

  test('a subscription reported with a session is a permit of its user, and names in the body are refused', async () => {
    await service.post(PATH, item({ tap_id: 't1' }))
    const token = await service.tokenOf('o1')
    const report = { template_id: 'daily', result: 'accept', tap_id: 't2' }
    expect(await service.postAs(token, PATH, report)).toMatchObject({ status: 201, body: { accepted: 1 } })
    for (const [field, value] of [
      ['open_id', 'o2'],
      ['user_id', 2],
    ] as const) {
      expect(await service.postAs(token, PATH, { ...report, [field]: value })).toMatchObject({
        status: 422,
        body: { error: { details: { field } } },
      })
    }
    expect(await counts(service.db, APP_ID)).toEqual({ 1: 2 })
  })

  test.each([
    [item({ template_id: undefined }), 'template_id'],
    [item({ template_id: '' }), 'template_id'],
    [item({ template_id: '模板' }), 'template_id'],
    [item({ result: undefined }), 'result'],
    [item({ result: true }), 'result'],
    [item({ result: 'x'.repeat(65) }), 'result'],
    [item({ tap_id: 'two words' }), 'tap_id'],
    [item({ tap_id: 7 }), 'tap_id'],
    [item({ tapped_at: -1 }), 'tapped_at'],
    [item({ open_id: undefined }), 'open_id'],
    [item({ user_id: undefined }), 'user_id'],
    [item({ form_id: 'F' }), 'form_id'],
    [{ items: [] }, 'items'],
    [{ items: Array(101).fill(item()) }, 'items'],
    [{ items: [item({ result: 1 }), item({ result: 1 })] }, 'items.0.result'],
    [[], 'body'],
  ])('a body of %j names the field that is wrong', async (body, field) => {
    expect(await service.post(PATH, body)).toMatchObject({
      status: 422,
      body: { error: { code: 'invalid_request', details: { field } } },
    })
    expect(await permits()).toEqual([])
  })
})
