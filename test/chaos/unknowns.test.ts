import { describe, expect, test } from 'vitest'
import type { SendRequest } from '../../src/sandbox/send-request.js'
import { type Disturbance, SEND_CONCURRENCY } from './processes.js'
import { type AskedMessage, explainUnknowns } from './unknowns.js'

const BY_ITS_LEASE = 'its attempt broke off, and sending it again could deliver it twice'

function unknown(id: number, changes: Partial<AskedMessage> = {}): AskedMessage {
  const times = { created_at: 1_000, settled_at: 9_000 }
  return { id, state: 'unknown', ...times, errcode: null, errmsg: BY_ITS_LEASE, requests: [], ...changes }
}

const accepted: SendRequest = {
  at: 2_000,
  client: 'a',
  openId: 'o',
  data: {},
  outcome: 0,
  status: 200,
  endedAt: 2_010,
}
const kill = (at: number, client = 'a'): Disturbance => ({ kind: 'kill', client, from: at, until: at })

describe('a message that ended as unknown', () => {
  test('a message that ended as unknown is explained by an answer that WeChat kept to itself', () => {
    const hung = unknown(1, { requests: [{ ...accepted, outcome: 'hang' }] })
    const { counts, lost_unsent } = explainUnknowns([hung], [])
    expect(counts).toMatchObject({ messages: 1, answer_lost: 1 })
    expect(lost_unsent).toEqual([])
  })

  test('a message that ended as unknown is explained by the kill of its own process while its request was under way, and by no other kill', () => {
    const sent = unknown(1, { requests: [accepted] })
    expect(explainUnknowns([sent], [kill(2_005)]).counts).toMatchObject({ under_way: 1 })
    expect(explainUnknowns([sent], [kill(2_005, 'b')]).counts).toMatchObject({ under_way: 0 })
  })

  test('a message that ended as unknown is explained by a request that its process had written before the kill, and that arrived later', () => {
    const late = unknown(1, { requests: [{ ...accepted, at: 9_500, endedAt: 9_510 }] })
    expect(explainUnknowns([late], [kill(2_005)]).counts).toMatchObject({ under_way: 1 })
  })

  test('a message that ended as unknown is explained by the freeze of its process past its lease, if its request arrives as that wakes', () => {
    const freeze: Disturbance = { kind: 'freeze', client: 'a', from: 2_000, until: 5_000 }
    const sent = (at: number) => unknown(1, { requests: [{ ...accepted, at, endedAt: at + 6 }] })
    expect(explainUnknowns([sent(5_001)], [freeze]).counts).toMatchObject({ under_way: 1 })
    expect(explainUnknowns([sent(6_000)], [freeze])).toMatchObject({
      counts: { under_way: 0 },
      lost_unsent: [{ id: 1 }],
    })
  })

  test('a message that ended as unknown is explained by a process that was still at it when another one ended it', () => {
    const late = unknown(1, { requests: [{ ...accepted, at: 9_500, endedAt: 9_510 }] })
    const underWay = unknown(2, { requests: [{ ...accepted, at: 8_990, endedAt: 9_010 }] })
    expect(explainUnknowns([late, underWay], []).counts).toMatchObject({ stalled: 2 })
  })

  test('a message that ended as unknown is explained by an answer that came when its process had lost it, and by no earlier one', () => {
    const refused = (endedAt: number) =>
      unknown(1, { requests: [{ ...accepted, outcome: 40001, at: endedAt - 10, endedAt }] })
    expect(explainUnknowns([refused(8_800)], []).counts).toMatchObject({ stalled: 1 })
    expect(explainUnknowns([refused(6_900)], []).lost_unsent).toHaveLength(1)
    const byItself = { ...refused(8_800), errmsg: 'refused' }
    expect(explainUnknowns([byItself], []).lost_unsent).toHaveLength(1)
  })

  test('a message that ended as unknown without a request is explained by the word of its process that it was overtaken', () => {
    const { counts, lost_unsent } = explainUnknowns([unknown(1)], [], new Set([1]))
    expect(counts).toMatchObject({ stalled: 1, marked_and_unsent: 0 })
    expect(lost_unsent).toEqual([])
  })

  test('a message that ended as unknown without a request is explained by a kill while it was held, for as many as are marked at once', () => {
    const claimed = Array.from({ length: SEND_CONCURRENCY + 3 }, (_, i) => unknown(i + 1))
    const { counts, lost_unsent } = explainUnknowns(claimed, [kill(5_000), kill(20_000)])
    expect(counts).toMatchObject({
      marked_and_unsent: SEND_CONCURRENCY,
      most_unsent_at_once: SEND_CONCURRENCY,
    })
    expect(lost_unsent).toHaveLength(3)
  })

  test('a message that ended as unknown by a busy answer is lost to it, whatever was killed', () => {
    const busy = unknown(1, { errcode: 45011, errmsg: 'busy', requests: [{ ...accepted, outcome: 45011 }] })
    const { lost_to_busy } = explainUnknowns([busy], [kill(2_005)])
    expect(lost_to_busy).toEqual([busy])
  })
})
