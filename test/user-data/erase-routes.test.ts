import { describe, expect, test } from 'vitest'
import { audit } from '../../src/operations/audit.js'
import { NOW } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { API_KEY } from '../helpers/service.js'
import { useSessionService } from '../helpers/sessions.js'

describe.each(dialects)('DELETE /v1/users/{user_id} on %s', (dialect) => {
  const service = useSessionService(dialect, { now: () => NOW, env: { USER_IDS: 'auto' } })
  const erase = (userId: number | string, token = API_KEY) =>
    service.request('DELETE', `/v1/users/${userId}`, { headers: { authorization: `Bearer ${token}` } })
  const userOf = async (openId: string): Promise<number> => {
    const [userId] = await service.db('wx_user').where({ open_id: openId }).pluck('user_id')
    return userId
  }

  test('a session of an erased person works no more; who logs in again is a new user', async () => {
    const token = await service.tokenOf('oA')
    const first = await userOf('oA')
    expect(await service.postAs(token, '/v1/form-ids', { form_id: 'F1' })).toMatchObject({ status: 201 })
    expect(await erase(first)).toMatchObject({
      status: 200,
      body: { user_id: first, open_ids: 1, permits: 1, voided: 1, complete: true },
    })
    const calls: [string, object][] = [
      ['/v1/form-ids', { form_id: 'F2' }],
      ['/v1/sign-ins', {}],
      ['/v1/subscriptions', { template_id: 'T', result: 'accept' }],
    ]
    for (const [path, body] of calls)
      expect(await service.postAs(token, path, body)).toMatchObject({
        status: 401,
        body: { error: { code: 'unauthorized', message: expect.stringContaining('log in again') } },
      })
    expect(await service.db('wx_user')).toEqual([])

    const again = await service.tokenOf('oA')
    expect(await userOf('oA')).toBeGreaterThan(first)
    expect(await service.postAs(again, '/v1/form-ids', { form_id: 'F1' })).toMatchObject({
      status: 201,
      body: { accepted: 1 },
    })
    expect(await audit(service.db, NOW, false)).toMatchObject({ ok: true })
  })

  test('is for API keys: no session erases anybody, its own user included', async () => {
    const token = await service.tokenOf('oA')
    await service.tokenOf('oB')
    for (const openId of ['oA', 'oB'])
      expect(await erase(await userOf(openId), token)).toMatchObject({
        status: 403,
        body: { error: { code: 'forbidden' } },
      })
    expect(await service.request('DELETE', '/v1/users/1')).toMatchObject({ status: 401 })
    expect(await service.db('wx_user').count({ n: '*' })).toEqual([{ n: 2 }])
  })

  test('says when to send it again while a message is being sent', async () => {
    await service.tokenOf('oA')
    const userId = await userOf('oA')
    await service.db('wx_push_message').insert({
      app_id: service.account.appId,
      user_id: userId,
      kind: 'api',
      claim_id: 1,
      card_id: 1,
      rid: 'rid-of-wechat',
      state: 'sending',
      created_at: 1,
      updated_at: 1,
    })
    const answer = await erase(userId)
    expect(answer).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } })
    expect(answer.headers.get('retry-after')).toBe('20')
    await service.db('wx_push_message').update({ state: 'delivered' })
    expect(await erase(userId)).toMatchObject({ status: 200, body: { messages: 1, open_ids: 1 } })
  })

  test('names the field that is wrong', async () => {
    expect(await erase('me')).toMatchObject({
      status: 422,
      body: { error: { details: { field: 'user_id' } } },
    })
  })
})
