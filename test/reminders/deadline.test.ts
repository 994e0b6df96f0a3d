import { describe, expect, test } from 'vitest'
import { ACCEPTED, refusal } from '../helpers/answers.js'
import { claimAll } from '../helpers/claims.js'
import { HOUR_MS, MINUTE_MS } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { heldRequests } from '../helpers/requests.js'
import { user, users } from '../helpers/users.js'
import { useWorld, without } from '../helpers/world.js'

const CHANNELS = ['form_id', 'subscribe'] as const

describe.each(dialects)('the end of the sending window on %s', (dialect) => {
  const world = useWorld(dialect)

  const closeWindow = () => world.clock.advance(12 * HOUR_MS)

  test.each(CHANNELS)(
    'lets no request leave on %s: what is claimed and not sent is given back',
    async (channel) => {
      await world.has(users(1, 60).permits(1).subscriptions(1))
      const before = await world.books()
      const requests = heldRequests()
      let sent = 0
      const process = world.startProcess({
        concurrency: 4,
        // The canary is answered at once; then four are under way.
        send: () => (++sent === 1 ? Promise.resolve(ACCEPTED) : requests.send()),
      })
      const running = process.remind({ account: { channel } })
      await eventually('four requests under way', () => requests.underWay === 4)
      closeWindow()
      requests.answerAll(ACCEPTED)
      expect(await running).toMatchObject({ state: 'window_closed', delivered: 5, unknown: 0 })
      expect(sent).toBe(5)
      const reminded = (await world.messages()).flatMap((m) => (m.state === 'delivered' ? [m.user_id] : []))
      expect(reminded).toHaveLength(5)
      expect(without(await world.books(), reminded)).toEqual(without(before, reminded))
    },
  )

  test.each(CHANNELS)(
    'lets no request leave on %s that has waited for its turn at a slow rate',
    async (channel) => {
      await world.has(users(1, 10).permits(1).subscriptions(1))
      let sent = 0
      const process = world.startProcess({
        // Half a second between two: however busy the machine is, they do not get their turns together.
        rate: 2,
        concurrency: 8,
        send: async () => {
          if (++sent === 2) closeWindow()
          return ACCEPTED
        },
      })
      expect(await process.remind({ account: { channel } })).toMatchObject({ state: 'window_closed' })
      expect(sent).toBe(2)
    },
  )

  test('the end of the sending window is seen between the permits of one user', async () => {
    await world.has(user(1).permits(6))
    let sent = 0
    const process = world.startProcess({
      send: async () => {
        if (++sent === 2) closeWindow()
        return refusal(41028)
      },
    })
    expect(await process.remind()).toMatchObject({ state: 'window_closed' })
    expect(sent).toBe(2)
    expect((await world.permitsOf(1)).map(({ status }) => status)).toEqual([1, 1, 0, 0, 0, 0])
  })

  test.each([...CHANNELS])(
    'the end of the sending window that comes before a takeover costs nothing on %s: what a dead process had claimed late is given back',
    async (channel) => {
      await world.has(users(1, 20).permits(1).subscriptions(1))
      const before = await world.books()
      world.clock.advance(12 * HOUR_MS - 30 * MINUTE_MS)
      expect(await claimAll(world, { channel })).toHaveLength(20)
      await world.lapseLeases()
      world.clock.advance(30 * MINUTE_MS)
      expect(await world.startProcess().recover({ channel })).toMatchObject({ cancelled: 20, unknown: 0 })
      expect(await world.books()).toEqual(before)
    },
  )
})
