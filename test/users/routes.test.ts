import { describe, expect, test } from 'vitest'
import { audit } from '../../src/operations/audit.js'
import { APP_ID, NOW } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { addPermits, counts } from '../helpers/rows.js'
import { API_KEY, useService } from '../helpers/service.js'

const JSON_TYPE = { 'content-type': 'application/json' }

describe.each(dialects)('PUT /v1/users on %s', (dialect) => {
  const service = useService(dialect, { now: () => NOW })

  const put = (body: unknown, headers: Record<string, string> = { authorization: `Bearer ${API_KEY}` }) =>
    service.request('PUT', '/v1/users', {
      body: JSON.stringify(body),
      headers: { ...JSON_TYPE, ...headers },
    })
  const bindings = async () =>
    Object.fromEntries((await service.db('wx_user')).map(({ open_id, user_id }) => [open_id, user_id]))
  const owners = async () =>
    Object.fromEntries(
      (await service.db('wx_save_form_id')).map(({ form_id, user_id, status }) => [
        form_id,
        `${user_id}/${status}`,
      ]),
    )
  const sound = async () => expect(await audit(service.db, NOW, false)).toMatchObject({ ok: true })

  test('binds an open_id, and again changes nothing', async () => {
    for (let i = 0; i < 2; i++) {
      expect(await put({ open_id: 'oA', user_id: 1 })).toMatchObject({
        status: 200,
        body: { open_id: 'oA', user_id: 1, moved: 0 },
      })
    }
    expect(await bindings()).toEqual({ oA: 1 })
  })

  test('gives a user several open_ids', async () => {
    await put({ open_id: 'oA', user_id: 1 })
    expect(await put({ open_id: 'oB', user_id: 1 })).toMatchObject({ status: 200 })
    expect(await bindings()).toEqual({ oA: 1, oB: 1 })
  })

  test('refuses an open_id of another user, and leaves its permits where they are', async () => {
    await service.post('/v1/form-ids', { open_id: 'oA', user_id: 1, form_id: 'F1' })
    expect(await put({ open_id: 'oA', user_id: 2 })).toMatchObject({
      status: 409,
      body: { error: { code: 'conflict', message: expect.stringContaining('move_permits') } },
    })
    expect(await bindings()).toEqual({ oA: 1 })
    expect(await owners()).toEqual({ F1: '1/0' })
    expect(await counts(service.db, APP_ID)).toEqual({ 1: 1 })
  })

  test('hands an open_id over with the unspent permits that it gave, and no others, if told to', async () => {
    await addPermits(service.db, [
      { app_id: APP_ID, open_id: 'oA', user_id: 1, form_id: 'A1' },
      { app_id: APP_ID, open_id: 'oA', user_id: 1, form_id: 'A2' },
      { app_id: APP_ID, open_id: 'oA', user_id: 1, form_id: 'spent', status: 1 },
      { app_id: APP_ID, open_id: 'oA', user_id: 1, form_id: 'stale', status: 2 },
      { app_id: APP_ID, open_id: 'oA2', user_id: 1, form_id: 'of the other phone' },
      { app_id: APP_ID, open_id: 'oB', user_id: 2, form_id: 'B1' },
      { app_id: 'wxB', open_id: 'oA', user_id: 1, form_id: 'of another app' },
    ])
    await put({ open_id: 'oA', user_id: 1 })
    await service.db('wx_user').where({ open_id: 'oA' }).update({ opted_out_at: 5, union_id: 'uA' })
    expect(await put({ open_id: 'oA', user_id: 2, move_permits: true })).toMatchObject({
      status: 200,
      body: { open_id: 'oA', user_id: 2, moved: 2 },
    })
    expect(await owners()).toEqual({
      A1: '2/0',
      A2: '2/0',
      spent: '1/1',
      stale: '1/2',
      'of the other phone': '1/0',
      B1: '2/0',
      'of another app': '1/0',
    })
    expect(await counts(service.db, APP_ID)).toEqual({ 1: 1, 2: 3 })
    expect(await service.db('wx_user')).toMatchObject([{ user_id: 2, opted_out_at: 5, union_id: 'uA' }])
    await sound()
    // The new owner is the one for uploads from now on.
    const upload = await service.post('/v1/form-ids', { open_id: 'oA', user_id: 2, form_id: 'A1' })
    expect(upload.body).toMatchObject({ duplicates: 1 })
  })

  test('hands over once, however often and by how many it is told at once', async () => {
    await service.post('/v1/form-ids', {
      items: ['F1', 'F2', 'F3'].map((form_id) => ({ open_id: 'oA', user_id: 1, form_id })),
    })
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => put({ open_id: 'oA', user_id: 2, move_permits: true })),
    )
    const moved = answers.map(({ body }) => (body as { moved: number }).moved)
    expect(moved.sort()).toEqual([...Array(9).fill(0), 3])
    expect(await counts(service.db, APP_ID)).toEqual({ 1: 0, 2: 3 })
    await sound()
  })

  test('hands over to and fro beside uploads, and every counter stays exact', async () => {
    await put({ open_id: 'oA', user_id: 1 })
    await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        i % 3 === 0
          ? put({ open_id: 'oA', user_id: 1 + (i % 2), move_permits: true })
          : service.post('/v1/form-ids', { open_id: 'oA', user_id: 1 + (i % 2), form_id: `F${i}` }),
      ),
    ).then((answers) => expect(answers.every(({ status }) => status < 300)).toBe(true))
    await sound()
  })

  test.each([
    [{ user_id: 1 }, 'open_id'],
    [{ open_id: 'oA' }, 'user_id'],
    [{ open_id: 'two words', user_id: 1 }, 'open_id'],
    [{ open_id: 'oA', user_id: 'one' }, 'user_id'],
    [{ open_id: 'oA', user_id: -1 }, 'user_id'],
    [{ open_id: 'oA', user_id: 1, move_permits: 'yes' }, 'move_permits'],
    [{ open_id: 'oA', user_id: 1, rebind: true }, 'rebind'],
    [[], 'body'],
  ])('of %j names the field that is wrong', async (body, field) => {
    expect(await put(body)).toMatchObject({
      status: 422,
      body: { error: { code: 'invalid_request', details: { field } } },
    })
  })

  test('needs an API key', async () => {
    expect(await put({ open_id: 'oA', user_id: 1 }, {})).toMatchObject({ status: 401 })
    expect(await bindings()).toEqual({})
  })
})
