import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { run } from '../../src/cli/run.js'
import { APP_ID, DAY_MS, HOUR_MS, NOW } from '../helpers/constants.js'
import { createTestDatabase, dialects } from '../helpers/database.js'
import { addPermits } from '../helpers/rows.js'
import { API_KEY, startTestService, useService } from '../helpers/service.js'
import { SECRET, signatureOf, toldOf } from '../helpers/webhooks.js'
import { hang, startWechatStub } from '../helpers/wechat.js'

const delivery = (changes: object = {}) => ({
  app_id: APP_ID,
  message_id: 7,
  event: 'delivered',
  state: 'delivered',
  attempts: 1,
  next_attempt_at: NOW,
  http_status: 204,
  created_at: NOW,
  ended_at: NOW + 1_000,
  ...changes,
})
const FAILED = { state: 'failed', attempts: 8, http_status: null, error: 'TIMEOUT' }

interface Item {
  id: number
  state: string
  message_id: number
}

describe.each(dialects)('the log of the webhook on %s', (dialect) => {
  const service = useService(dialect)
  beforeEach(() =>
    service
      .db('wx_webhook_delivery')
      .insert([
        delivery(),
        delivery({ event: 'reported', ...FAILED }),
        delivery({ message_id: 8 }),
        delivery({ app_id: 'wxOther' }),
      ]),
  )

  const headers = { authorization: `Bearer ${API_KEY}` }
  const list = async (query = '') => {
    const answer = await service.request('GET', `/v1/webhook-deliveries${query}`, { headers })
    expect(answer.status).toBe(200)
    return answer.body as { items: Item[]; next: string | null }
  }

  test('lists the account’s own, newest first, by state and message, page by page', async () => {
    const { items, next } = await list()
    expect(items.map(({ message_id, state }) => [message_id, state])).toEqual([
      [8, 'delivered'],
      [7, 'failed'],
      [7, 'delivered'],
    ])
    expect(next).toBeNull()
    expect(items[1]).toMatchObject({
      webhook_id: `event-${items[1]?.id}-${NOW}`,
      type: 'message.reported',
      attempts: 8,
      http_status: null,
      error: 'TIMEOUT',
      next_attempt_at: null,
      created_at: new Date(NOW).toISOString(),
      ended_at: new Date(NOW + 1_000).toISOString(),
    })
    expect((await list('?state=failed')).items).toHaveLength(1)
    expect((await list('?message_id=7')).items).toHaveLength(2)
    expect((await list('?message_id=7&state=delivered')).items).toHaveLength(1)
    const first = await list('?limit=2')
    expect(first.items).toHaveLength(2)
    expect((await list(`?limit=2&before=${first.next}`)).items.map(({ id }) => id)).toEqual([items[2]?.id])
  })

  test('tells one again, and none of another account', async () => {
    const [failed] = (await list('?state=failed')).items
    const again = (id: number | undefined) =>
      service.request('POST', `/v1/webhook-deliveries/${id}/redeliver`, {
        headers: { ...headers, 'content-type': 'application/json' },
        body: '{}',
      })
    expect(await again(failed?.id)).toMatchObject({
      status: 202,
      body: { id: failed?.id, state: 'waiting', attempts: 0, ended_at: null },
    })
    const other = await service.db('wx_webhook_delivery').where({ app_id: 'wxOther' }).first()
    expect(await again(other?.id)).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } })
    expect(other).toEqual(await service.db('wx_webhook_delivery').where({ app_id: 'wxOther' }).first())
  })
})

test('the command webhooks lists the log, and tells one again', async () => {
  const database = await createTestDatabase('sqlite')
  onTestFinished(() => database.close())
  await database.db('wx_webhook_delivery').insert([delivery(), delivery(FAILED)])
  async function call(...words: string[]) {
    let stdout = ''
    const streams = { stdout: { write: (text: string) => (stdout += text) }, stderr: { write: () => {} } }
    const env = { WX_APP_ID: APP_ID, DATABASE_URL: database.url }
    const code = await run(['node', 'reminder', 'webhooks', ...words], env, streams)
    return { code, stdout }
  }
  expect((await call()).stdout).toBe(
    '2  message 7  message.delivered  failed  8 attempts  TIMEOUT\n' +
      '1  message 7  message.delivered  delivered  1 attempts  HTTP 204\n',
  )
  const { items } = JSON.parse((await call('--state', 'failed', '--json')).stdout)
  expect(items).toMatchObject([{ id: 2, state: 'failed' }])
  expect(JSON.parse((await call('--redeliver', '2', '--json')).stdout)).toMatchObject({ state: 'waiting' })
  expect((await call('--state', 'failed')).stdout).toBe('The webhook has been told nothing of the kind.\n')
  expect((await call('--redeliver', '77')).code).toBe(1)
})

test('a service that is served sends them by its schedule, and stops with a receiver that hangs', {
  tags: ['long'],
}, async () => {
  const receiver = await startWechatStub()
  onTestFinished(() => receiver.close())
  const env = { WEBHOOK_URL: `${receiver.url}/`, WEBHOOK_SECRET: SECRET, REMINDER_TEMPLATE_ID: 'T' }
  const service = await startTestService('sqlite', { env, wechatUrl: () => 'http://127.0.0.1:1' })
  onTestFinished(() => service.close())
  await addPermits(
    service.db,
    [1, 2].map((user_id) => ({ user_id, expire: Date.now() + 6 * DAY_MS })),
  )
  const submitAndCancel = async (user_id: number) => {
    const body = { user_id, template_id: 'T', data: { keyword1: 'x' }, not_before: Date.now() + HOUR_MS }
    const { body: message } = await service.post('/v1/messages', body, { 'idempotency-key': `${user_id}` })
    const { id } = message as { id: number }
    const authorization = `Bearer ${API_KEY}`
    await service.request('DELETE', `/v1/messages/${id}`, { headers: { authorization } })
    return id
  }
  const id = await submitAndCancel(1)
  service.startSchedule()
  await receiver.arrived(1)
  const [asked] = receiver.asked
  if (!asked) throw new Error('the receiver was told nothing')
  expect(asked.headers['webhook-signature']).toBe(signatureOf(SECRET, asked))
  expect(toldOf(asked)).toMatchObject({ type: 'message.cancelled', message: { id } })
  receiver.otherwise(hang)
  await submitAndCancel(2)
  await receiver.arrived(2)
  const began = performance.now()
  await service.stop()
  expect(performance.now() - began).toBeLessThan(8_000)
})
