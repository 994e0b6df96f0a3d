import { describe, expect, test } from 'vitest'
import { execute } from '../../src/db/sql.js'
import { settleBatch } from '../../src/messages/settle.js'
import { emptyTally } from '../../src/messages/tally.js'
import { claimAll } from '../helpers/claims.js'
import { TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { openIdOf, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

const CHANNELS = ['form_id', 'subscribe'] as const
type Channel = (typeof CHANNELS)[number]

describe.each(dialects)('before a message is sent again on %s', (dialect) => {
  const world = useWorld(dialect)

  const signIn = (userId: number, day: number) =>
    execute(
      world.db,
      'INSERT INTO wx_sign_in (app_id, user_id, day, streak, created_at) VALUES (?, ?, ?, 1, 1)',
      [world.account.appId, userId, day],
    )
  const stop = (userId: number, column: 'opted_out_at' | 'blocked_at') =>
    execute(
      world.db,
      `INSERT INTO wx_user (app_id, open_id, user_id, ${column}, created_at, updated_at) VALUES (?, ?, ?, 1, 1, 1)`,
      [world.account.appId, openIdOf(userId), userId],
    )

  /** Users 1 to 3, claimed, and waiting for another attempt. */
  async function waiting(channel: Channel, maybeSent: boolean): Promise<void> {
    await world.has(users(1, 3).permits(2).subscriptions(2))
    const outcomes = (await claimAll(world, { channel })).map((message) => ({
      message,
      verdict: { kind: 'retry', afterMs: 0, maybeSent } as const,
      answer: { errcode: 45011, errmsg: 'busy', rid: null, msgid: null },
      attempted: true,
    }))
    await settleBatch(world.db, outcomes, world.clock.now())
  }

  const CHANGES: [string, (userId: number) => Promise<unknown>][] = [
    ['has signed in', (userId) => signIn(userId, TODAY)],
    ['has opted out', (userId) => stop(userId, 'opted_out_at')],
    ['is blocked', (userId) => stop(userId, 'blocked_at')],
  ]
  for (const channel of CHANNELS) {
    test.each(CHANGES)(
      `a user who %s since the first attempt is left alone and keeps the permit (${channel})`,
      async (_, change) => {
        await waiting(channel, false)
        await change(2)
        const tally = await world.startProcess().recover({ channel })
        expect(tally).toEqual({ ...emptyTally(), delivered: 2, cancelled: 1 })
        expect(world.reminded().sort()).toEqual([1, 3])
        expect(await world.counterOf(2)).toEqual({ count: 4, last_date: 0 })
        const [message] = (await world.messages()).filter(({ user_id }) => user_id === 2)
        expect(message).toMatchObject({
          state: 'cancelled',
          errmsg: expect.stringMatching(/^not sent again/),
        })
      },
    )

    test(`a sign-in of another day changes nothing (${channel})`, async () => {
      await waiting(channel, false)
      await signIn(2, TODAY - 1)
      expect(await world.startProcess().recover({ channel })).toMatchObject({ delivered: 3 })
    })
  }

  test('a user who has signed in is left alone when a dead process had claimed and not sent', async () => {
    await world.has(users(1, 3).subscriptions(1))
    await claimAll(world, { channel: 'subscribe' })
    await signIn(2, TODAY)
    await world.lapseLeases()
    const tally = await world.startProcess().recover({ channel: 'subscribe' })
    expect(tally).toEqual({ ...emptyTally(), delivered: 2, cancelled: 1 })
    expect(await world.counterOf(2)).toEqual({ count: 1, last_date: 0 })
  })

  test('what may have been delivered is asked about whatever the user has done: only the answer tells', async () => {
    await waiting('form_id', true)
    await signIn(2, TODAY)
    await stop(3, 'opted_out_at')
    expect(await world.startProcess().recover()).toMatchObject({ delivered: 3 })
  })

  test('a run leaves them alone as well, and does not claim them anew', async () => {
    await waiting('form_id', false)
    await signIn(2, TODAY)
    const report = await world.startProcess().remind()
    expect(report).toMatchObject({ state: 'done', delivered: 2, skippedSignedIn: 1 })
    expect(world.reminded().sort()).toEqual([1, 3])
  })

  test('a pass of the recovery goes on when all of a batch are settled without sending', async () => {
    await world.has(users(1, 620).subscriptions(1))
    await claimAll(world, { channel: 'subscribe' })
    for (let userId = 1; userId <= 560; userId++) await signIn(userId, TODAY)
    await world.lapseLeases()
    const tally = await world.startProcess().recover({ channel: 'subscribe' })
    expect(tally).toEqual({ ...emptyTally(), delivered: 60, cancelled: 560 })
  })
})
