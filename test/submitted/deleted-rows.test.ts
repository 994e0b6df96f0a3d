import { describe, expect, test } from 'vitest'
import { audit } from '../../src/operations/audit.js'
import { findMessage } from '../../src/submitted/status.js'
import { MINUTE_MS } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { user } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

/** What a DBA may take away while messages wait. */
describe.each(dialects)('submitted messages of which rows are deleted, on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'clean books' })
  const { db } = world
  const stateOf = (id = 0) => findMessage(db, world.account.appId, id)

  test.each(['form_id', 'subscribe', 'official'] as const)(
    'go out on %s without their card',
    async (channel) => {
      await world.has(user(1).permits(2).subscriptions(2).following())
      const [message] = await submitTo(world, [1], { account: { channel } })
      await db('wx_card').delete()
      expect(await stateOf(message?.id)).toMatchObject({ state: 'queued', channel })
      expect(await sendSubmitted(world, world.startProcess(), { channel })).toMatchObject({ delivered: 1 })
      expect(await stateOf(message?.id)).toMatchObject({ state: 'delivered', channel })
      expect((await audit(db, world.clock.now(), false)).ok).toBe(true)
    },
  )

  test('are ended without their texts, their permit is given back, and the others go out', async () => {
    await world.has(user(1).permits(2), user(2).permits(2))
    const [lost, other] = await submitTo(world, [1, 2])
    await db('wx_submitted_message').where({ message_id: lost?.id }).delete()
    expect(await sendSubmitted(world, world.startProcess())).toMatchObject({ delivered: 1, cancelled: 1 })
    expect((await world.messages()).find(({ user_id }) => user_id === 1)).toMatchObject({
      state: 'cancelled',
      errmsg: 'not sent: somebody has deleted the row that says what it says',
    })
    expect(await world.counterOf(1)).toMatchObject({ count: 2 })
    expect((await stateOf(other?.id)).state).toBe('delivered')
    expect((await audit(db, world.clock.now(), false)).ok).toBe(true)
  })

  test('go on once the audit has put back that they wait', async () => {
    await world.has(user(1).permits(2))
    const [message] = await submitTo(world, [1])
    await db('wx_message_retry').delete()
    const process = world.startProcess()
    expect(await sendSubmitted(world, process)).toMatchObject({ delivered: 0 })
    const { checks } = await audit(db, world.clock.now(), true)
    expect(checks.filter(({ ok }) => !ok)).toEqual([])
    world.clock.advance(MINUTE_MS)
    expect(await sendSubmitted(world, process)).toMatchObject({ delivered: 1 })
    expect((await stateOf(message?.id)).state).toBe('delivered')
  })
})
