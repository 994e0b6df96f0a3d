import { describe, expect, test } from 'vitest'
import { takeOver } from '../../src/messages/recovery.js'
import { OFFICIAL_PATH, SEND_PATH, SUBSCRIBE_PATH } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { userIdOf, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

const CHANNELS = [
  { channel: 'form_id', path: SEND_PATH },
  { channel: 'subscribe', path: SUBSCRIBE_PATH },
  { channel: 'official', path: OFFICIAL_PATH },
] as const

const MANY = 900
const FEW = 60
/** Two claims of a worker, which is what it has in hand at most. */
const IN_HAND = 400

describe.each(dialects)('several backends of one account on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'sound books' })

  const has = (channel: (typeof CHANNELS)[number]['channel'], last: number) => {
    const all = users(1, last)
    return world.has(
      { form_id: all.permits(1), subscribe: all.subscriptions(1), official: all.following() }[channel],
    )
  }
  const order = () => world.wechat.ledger().map(({ open_id }) => userIdOf(open_id))

  test.each(CHANNELS)(
    'take turns by $channel: few messages of one do not wait behind the many of another',
    { tags: ['long'] },
    async ({ channel }) => {
      const account = { channel }
      await has(channel, MANY + FEW)
      await submitTo(world, users(1, MANY).ids, { account })
      world.clock.advance(1_000)
      await submitTo(world, users(MANY + 1, MANY + FEW).ids, { account, by: 'parcels' })
      const process = world.startProcess({ concurrency: 4 })
      expect(await sendSubmitted(world, process, account)).toMatchObject({ delivered: MANY + FEW })
      const last = order().findLastIndex((id) => id > MANY)
      // Each second one is theirs until they are out.
      expect(last).toBeLessThan(2 * FEW + 20)
    },
  )

  test('a message that comes while another backend has hundreds under way waits for two claims at most', async () => {
    await has('form_id', MANY + 1)
    await submitTo(world, users(1, MANY).ids)
    world.wechat.addFault({ kind: 'latency', ms: 100, after: 30, match: { path: SEND_PATH } })
    const sending = sendSubmitted(world, world.startProcess({ concurrency: 4 }))
    await eventually('the flood is under way', () => world.wechat.ledger().length > 20)
    await submitTo(world, [MANY + 1], { by: 'parcels' })
    const before = world.wechat.ledger().length
    world.wechat.clearFaults()
    expect(await sending).toMatchObject({ delivered: MANY + 1 })
    expect(order().indexOf(MANY + 1)).toBeLessThan(before + IN_HAND + 20)
  })

  test('share a claim equally, leave to the others what one does not need, and take turns where one is left over', async () => {
    await has('form_id', 60)
    await submitTo(world, users(1, 40).ids, { by: 'a' })
    await submitTo(world, users(41, 55).ids, { by: 'b' })
    await submitTo(world, users(56, 57).ids, { by: 'c' })
    const { db, account, clock } = world
    const claim = async (limit: number, random: number) => {
      const options = { kind: 'api', limit, leaseMs: 15_000, now: clock.now(), random } as const
      const { messages } = await takeOver(db, account, options)
      return messages.map(({ submittedBy }) => submittedBy).join('')
    }
    expect(await claim(1, 0)).toBe('a')
    expect(await claim(1, 0.4)).toBe('b')
    expect(await claim(4, 0.7)).toBe('cabc')
    expect(await claim(11, 0)).toBe('abababababa')
    expect(await claim(100, 0)).toBe(`${'ab'.repeat(8)}${'a'.repeat(24)}`)
    expect(await claim(100, 0)).toBe('')
    await world.lapseLeases()
    await sendSubmitted(world, world.startProcess())
  })
})
