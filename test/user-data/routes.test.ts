import { describe, expect, test } from 'vitest'
import { NOW } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { addPermits } from '../helpers/rows.js'
import { API_KEY } from '../helpers/service.js'
import { useSessionService } from '../helpers/sessions.js'

const PATHS = ['', '/permits', '/sign-ins', '/messages']

describe.each(dialects)('GET /v1/users on %s', (dialect) => {
  const service = useSessionService(dialect, { now: () => NOW, env: { USER_IDS: 'auto' } })
  const get = (path: string, token = API_KEY) =>
    service.request('GET', path, token === '' ? {} : { headers: { authorization: `Bearer ${token}` } })

  test('answers all that is on record, and the lists page by page', async () => {
    await addPermits(
      service.db,
      [1, 2, 3].map((n) => ({ user_id: 7, open_id: 'oA', form_id: `F${n}`, expire: NOW + n })),
    )
    for (const date of ['2026-11-18', '2026-11-19', '2026-11-20'])
      await service.post('/v1/sign-ins', { user_id: 7, open_id: 'oA', date })
    expect(await get('/v1/users/7')).toMatchObject({
      status: 200,
      body: {
        user_id: 7,
        open_ids: [{ open_id: 'oA' }],
        counter: { count: 3, last_date: null },
        permits: { unspent: 3, items: [{ form_id: 'F3' }, { form_id: 'F2' }, { form_id: 'F1' }] },
        sign_ins: { signed_in: true, streak: 3, streak_before: 2 },
      },
    })
    for (const [list, key, all] of [
      ['permits', 'form_id', ['F3', 'F2', 'F1']],
      ['sign-ins', 'date', ['2026-11-20', '2026-11-19', '2026-11-18']],
    ] as const) {
      const read: unknown[] = []
      let query = '?limit=2'
      for (let page = 0; page < 2; page++) {
        const { body } = await get(`/v1/users/7/${list}${query}`)
        const { items, next } = body as { items: Record<string, unknown>[]; next: string }
        read.push(...items.map((item) => item[key]))
        query = `?limit=2&before=${next}`
      }
      expect(read).toEqual(all)
    }
    expect(await get('/v1/users/7/permits?status=spent')).toMatchObject({ body: { items: [], next: null } })
  })

  test('finds the user of an open_id, and of one that is bound to nobody all whose permits it gave', async () => {
    await addPermits(service.db, [
      { user_id: 7, open_id: 'oA' },
      { user_id: 8, open_id: 'oA' },
    ])
    const look = (openId: string) => get(`/v1/users?open_id=${openId}`)
    const { user_ids } = (await look('oA')).body as { user_ids: number[] }
    expect(user_ids.sort()).toEqual([7, 8])
    await service.post('/v1/sign-ins', { user_id: 7, open_id: 'oA' })
    expect(await look('oA')).toMatchObject({ status: 200, body: { open_id: 'oA', user_ids: [7] } })
    expect(await look('oB')).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } })
    expect(await service.db('wx_user').pluck('open_id')).toEqual(['oA'])
  })

  test('is for API keys: no session sees anybody, its own user included', async () => {
    const token = await service.tokenOf('oA')
    const [own] = await service.db('wx_user').pluck('user_id')
    for (const user of [own, own + 1]) {
      for (const path of PATHS)
        expect(await get(`/v1/users/${user}${path}`, token)).toMatchObject({
          status: 403,
          body: { error: { code: 'forbidden' } },
        })
    }
    expect(await get('/v1/users?open_id=oA', token)).toMatchObject({ status: 403 })
    for (const path of PATHS) expect(await get(`/v1/users/${own}${path}`, '')).toMatchObject({ status: 401 })
  })

  test.each([
    ['/v1/users', 'open_id'],
    ['/v1/users?open_id=', 'open_id'],
    ['/v1/users/x', 'user_id'],
    ['/v1/users/9223372036854775808', 'user_id'],
    ['/v1/users/7/permits?limit=0', 'limit'],
    ['/v1/users/7/permits?limit=101', 'limit'],
    ['/v1/users/7/permits?before=x', 'before'],
    ['/v1/users/7/permits?status=0', 'status'],
    ['/v1/users/7/messages?before=x', 'before'],
    ['/v1/users/7/sign-ins?before=2026-02-30', 'before'],
    ['/v1/users/7/sign-ins?after=2026-02-03', 'after'],
  ])('%s names the field that is wrong', async (path, field) => {
    expect(await get(path)).toMatchObject({
      status: 422,
      body: { error: { code: 'invalid_request', details: { field } } },
    })
  })

  test('a number that nobody has been seen with is answered 404', async () => {
    expect(await get('/v1/users/404')).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } })
  })
})

describe.each(dialects)('GET /v1/sign-ins on %s', (dialect) => {
  const service = useSessionService(dialect, { now: () => NOW, env: { USER_IDS: 'auto' } })
  const get = (query: string, token = API_KEY) =>
    service.request('GET', `/v1/sign-ins${query}`, { headers: { authorization: `Bearer ${token}` } })

  test('tells whether a user has signed in, and how many days in a row', async () => {
    const before = { user_id: 7, date: '2026-11-20', signed_in: false, streak: 0, streak_before: 0 }
    expect(await get('?user_id=7')).toMatchObject({ status: 200, body: before })
    for (const date of ['2026-11-18', '2026-11-19'])
      await service.post('/v1/sign-ins', { user_id: 7, open_id: 'oA', date })
    expect((await get('?open_id=oA')).body).toEqual({ ...before, streak_before: 2 })
    await service.post('/v1/sign-ins', { user_id: 7 })
    expect((await get('?user_id=7')).body).toEqual({
      ...before,
      signed_in: true,
      streak: 3,
      streak_before: 2,
    })
    const answerOf = async (date: string) => {
      const { signed_in, streak, streak_before } = (await get(`?user_id=7&date=${date}`)).body as {
        signed_in: boolean
        streak: number
        streak_before: number
      }
      return [signed_in, streak, streak_before]
    }
    expect(await answerOf('2026-11-19')).toEqual([true, 2, 1])
    expect(await answerOf('2026-11-17')).toEqual([false, 0, 0])
  })

  test('with a session tells of its own user, who names nobody', async () => {
    const [ann, bob] = [await service.tokenOf('oAnn'), await service.tokenOf('oBob')]
    await service.postAs(ann, '/v1/sign-ins', {})
    expect(await get('', ann)).toMatchObject({ status: 200, body: { signed_in: true, streak: 1 } })
    expect(await get('', bob)).toMatchObject({ status: 200, body: { signed_in: false, streak: 0 } })
    const [annId] = await service.db('wx_user').where({ open_id: 'oAnn' }).pluck('user_id')
    for (const query of [`?user_id=${annId}`, '?open_id=oAnn'])
      expect(await get(query, bob)).toMatchObject({
        status: 422,
        body: { error: { code: 'invalid_request' } },
      })
  })

  test.each([
    ['', 'user_id'],
    ['?user_id=7&open_id=oA', 'open_id'],
    ['?user_id=7&date=2026-11-21', 'date'],
    ['?user_id=7&date=2026-02-30', 'date'],
  ])('%s names the field that is wrong', async (query, field) => {
    expect(await get(query)).toMatchObject({ status: 422, body: { error: { details: { field } } } })
  })

  test('an open_id without a user is told so', async () => {
    expect(await get('?open_id=oNobody')).toMatchObject({
      status: 409,
      body: { error: { code: 'user_not_bound' } },
    })
  })
})
