import { beforeEach, describe, expect, test } from 'vitest'
import { APP_ID } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { API_KEY, useService } from '../helpers/service.js'

const authorization = `Bearer ${API_KEY}`

describe.each(dialects)('/v1/users/{user_id}/opt-out on %s', (dialect) => {
  const service = useService(dialect)
  beforeEach(async () => {
    await service.db('wx_user').delete()
    const row = { app_id: APP_ID, user_id: 7, created_at: 1, updated_at: 1 }
    await service.db('wx_user').insert([
      { ...row, open_id: 'oA', opted_out_at: 5, stop_errcode: 43101, stop_message_id: 3 },
      { ...row, open_id: 'oB', blocked_at: 6, stop_errcode: 43004, stop_message_id: 4 },
      { ...row, open_id: 'oC', user_id: 8 },
    ])
  })

  const call = (
    method: string,
    userId: string | number,
    headers: Record<string, string> = { authorization },
  ) => service.request(method, `/v1/users/${userId}/opt-out`, { headers })
  const stops = () =>
    service
      .db('wx_user')
      .orderBy('open_id')
      .select('opted_out_at', 'blocked_at', 'stop_errcode', 'stop_message_id')
  const FREE = { opted_out_at: null, blocked_at: null, stop_errcode: null, stop_message_id: null }

  test('PUT stops all open_ids of a user as a wish, the first time counts', async () => {
    expect(await call('PUT', 7)).toMatchObject({ status: 200, body: { user_id: 7, stopped: true } })
    const first = await stops()
    expect(first).toMatchObject([
      { opted_out_at: expect.any(Number), stop_errcode: null, stop_message_id: null },
      { opted_out_at: expect.any(Number), stop_errcode: null, stop_message_id: null },
      FREE,
    ])
    expect(first[0].opted_out_at).toBeGreaterThan(5)
    expect(await call('PUT', 7)).toMatchObject({ status: 200 })
    expect(await stops()).toEqual(first)
  })

  test('DELETE brings a user back from whatever stopped the user', async () => {
    expect(await call('DELETE', 7)).toMatchObject({ status: 200, body: { user_id: 7, stopped: false } })
    expect(await stops()).toEqual([FREE, FREE, FREE])
    expect(await call('DELETE', 7)).toMatchObject({ status: 200, body: { user_id: 7, stopped: false } })
  })

  const tell = (body: unknown, userId: string | number = 7) =>
    service.request('PUT', `/v1/users/${userId}/opt-out`, {
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { authorization, 'content-type': 'application/json' },
    })

  test('PUT with a body stops a user and brings the user back', async () => {
    expect(await tell({ opted_out: true })).toMatchObject({ status: 200, body: { stopped: true } })
    expect(await stops()).toMatchObject([{ stop_errcode: null }, { opted_out_at: expect.any(Number) }, FREE])
    expect(await tell({ opted_out: false })).toMatchObject({ status: 200, body: { stopped: false } })
    expect(await stops()).toEqual([FREE, FREE, FREE])
    expect(await tell({ opted_out: false }, 99)).toMatchObject({ status: 404 })
  })

  test.each([
    [{}, 'opted_out'],
    [{ opted_out: 'false' }, 'opted_out'],
    [{ opted_out: null }, 'opted_out'],
    [{ opted_out: true, until: 5 }, 'until'],
    [[], 'body'],
    ['"no"', 'body'],
  ])('PUT of %j changes nothing and names the field', async (body, field) => {
    const before = await stops()
    expect(await tell(body)).toMatchObject({
      status: 422,
      body: { error: { code: 'invalid_request', details: { field } } },
    })
    expect(await stops()).toEqual(before)
  })

  test('a user without an open_id is told so, and asks for a key', async () => {
    expect(await call('PUT', 99)).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } })
    expect(await call('DELETE', 'abc')).toMatchObject({
      status: 422,
      body: { error: { code: 'invalid_request' } },
    })
    expect(await call('PUT', 7, {})).toMatchObject({ status: 401 })
  })
})
