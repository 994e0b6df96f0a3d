import { describe, expect, test } from 'vitest'
import { createPace } from '../../src/messages/pace.js'
import { createRate } from '../../src/messages/rate.js'
import { createShares, type Shares } from '../../src/messages/shares.js'

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const NEVER = new AbortController().signal

/** Lets so many requests of a kind ask for a place; answers how many have got one. */
async function ask(shares: Shares, kind: 'reminder' | 'api', requests: number): Promise<() => number> {
  let entered = 0
  for (let i = 0; i < requests; i++) void shares[kind].enter(NEVER).then(() => entered++)
  await settled()
  return () => entered
}

describe('the places of an account', () => {
  test('are all for whoever is alone', async () => {
    const entered = await ask(createShares(8), 'api', 20)
    expect(entered()).toBe(8)
  })

  test.each(['reminder', 'api'] as const)(
    'go to the other kind as they come free, until both have half, when %s has taken all of them',
    async (flood) => {
      const other = flood === 'api' ? 'reminder' : 'api'
      const shares = createShares(8)
      const flooded = await ask(shares, flood, 1_000)
      const late = await ask(shares, other, 1_000)
      expect([flooded(), late()]).toEqual([8, 0])
      for (let i = 0; i < 4; i++) shares[flood].leave()
      await settled()
      expect([flooded(), late()]).toEqual([8, 4])
      // From then on each has as many places as the other.
      for (let i = 0; i < 50; i++) {
        shares[flood].leave()
        shares[other].leave()
        await settled()
      }
      expect([flooded(), late()]).toEqual([58, 54])
    },
  )

  test('alternate where there is only one', async () => {
    const shares = createShares(1)
    const order: string[] = []
    for (const kind of ['api', 'api', 'api', 'reminder', 'reminder', 'reminder'] as const)
      void shares[kind].enter(NEVER).then(async () => {
        order.push(kind)
        await settled()
        shares[kind].leave()
      })
    for (let i = 0; i < 12; i++) await settled()
    expect(order).toEqual(['api', 'reminder', 'api', 'reminder', 'api', 'reminder'])
  })

  test('are not waited for once the signal is given', async () => {
    const shares = createShares(1)
    const stop = new AbortController()
    await shares.api.enter(stop.signal)
    const waiting = shares.api.enter(stop.signal)
    stop.abort()
    await waiting
    await shares.api.enter(stop.signal)
    for (let i = 0; i < 3; i++) shares.api.leave()
    expect((await ask(shares, 'reminder', 2))()).toBe(1)
  })
})

test('a slow rate is shared by halves too', async () => {
  const shares = createShares(4)
  const rate = createRate(100)
  const sent = { reminder: 0, api: 0 }
  let left = 40
  const send = async (kind: 'reminder' | 'api'): Promise<void> => {
    const pace = createPace(4, rate, shares[kind])
    const worker = async (): Promise<void> => {
      while (left > 0) {
        await pace.enter()
        if (left-- > 0) sent[kind]++
        pace.leave('went_well')
      }
    }
    await Promise.all(Array.from({ length: 4 }, worker))
  }
  await Promise.all([send('reminder'), send('api')])
  expect(sent.reminder + sent.api).toBe(40)
  expect(Math.abs(sent.reminder - sent.api)).toBeLessThanOrEqual(4)
})
