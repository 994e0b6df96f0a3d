import { expect } from 'vitest'
import { HOUR_MS, SEND_PATH, TEMPLATE_ID } from './constants.js'
import type { DashboardStage } from './dashboard.js'
import { API_KEY, type TestService } from './service.js'

/** Submitted messages over HTTP, as a backend has them. */

let keys = 0

/** Submits a message to each user. Answers their ids in that order. */
export async function submitOver(
  service: TestService,
  userIds: readonly (number | bigint)[],
  fields: Record<string, unknown> = {},
): Promise<number[]> {
  const items = userIds.map((userId) => ({
    user_id: Number(userId),
    template_id: TEMPLATE_ID,
    data: { keyword1: `您的包裹 ${userId} 已到`, keyword2: '取件码 8-2-1024', keyword4: '今天' },
    ...fields,
  }))
  const answer = await service.post('/v1/messages', { items }, { 'idempotency-key': `key-${++keys}` })
  expect(answer.status, answer.text).toBe(202)
  const { results } = answer.body as { results: { id: number }[] }
  return results.map(({ id }) => id)
}

export async function stateOf(service: TestService, id: number): Promise<string> {
  const { body } = await service.request('GET', `/v1/messages/${id}`, {
    headers: { authorization: `Bearer ${API_KEY}` },
  })
  return (body as { state: string }).state
}

/** Tries what waits until it has used up its attempts: WeChat refuses with a code of our own mistakes. */
export async function diesOf({ service, wechat, clock }: DashboardStage, errcode: number): Promise<void> {
  wechat.addFault({ kind: 'errcode', errcode, match: { path: SEND_PATH } })
  const { submitted } = service.of()
  for (let i = 0; i < 4; i++) {
    await submitted.workDue()
    clock.advance(HOUR_MS)
  }
  wechat.clearFaults()
}
