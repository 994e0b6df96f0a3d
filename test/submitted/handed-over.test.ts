import { describe, expect, test } from 'vitest'
import { inTransaction } from '../../src/db/transaction.js'
import { cancelMessage } from '../../src/submitted/cancel.js'
import { findMessage } from '../../src/submitted/status.js'
import { rebindUser } from '../../src/users/rebind.js'
import { HOUR_MS } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { openIdOf, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)(
  'a message that waits while its receiver is given to another user on %s',
  (dialect) => {
    const world = useWorld(dialect, { leaves: 'clean books' })
    const { db } = world
    const appId = () => world.account.appId
    const later = () => world.clock.now() + HOUR_MS

    /** Gives user 1's open_id to user 2. */
    const giveToOther = () => {
      const binding = { openId: openIdOf(1), movePermits: true }
      return inTransaction(db, async (trx) => {
        await rebindUser(trx, world.account, { ...binding, userId: 1 }, world.clock.now())
        return rebindUser(trx, world.account, { ...binding, userId: 2 }, world.clock.now())
      })
    }
    const counts = async () => [(await world.counterOf(1))?.count, (await world.counterOf(2))?.count]

    test.each(['form_id', 'subscribe'] as const)(
      'by %s is cancelled, and its permit follows the person who gave it',
      async (channel) => {
        await world.has(channel === 'form_id' ? users(1, 2).permits(2) : users(1, 2).subscriptions(2))
        const [message] = await submitTo(world, [1], { account: { channel }, not_before: later() })
        const [other] = await submitTo(world, [2], { account: { channel }, not_before: later() })
        expect(await giveToOther()).toBe(1)
        expect(await counts()).toEqual([0, 2])
        world.clock.advance(HOUR_MS)
        await sendSubmitted(world, world.startProcess(), { channel })
        expect(await findMessage(db, appId(), message?.id ?? 0)).toMatchObject({
          state: 'cancelled',
          attempts: [],
          meaning: expect.stringContaining('given to another user'),
        })
        expect((await findMessage(db, appId(), other?.id ?? 0)).state).toBe('delivered')
        expect(await counts()).toEqual([0, 3])
      },
    )

    test('on a service account is cancelled', async () => {
      await world.has(users(1, 2).following())
      const account = { channel: 'official' } as const
      const [message] = await submitTo(world, [1], { account, not_before: later() })
      await giveToOther()
      world.clock.advance(HOUR_MS)
      await sendSubmitted(world, world.startProcess(), account)
      expect((await findMessage(db, appId(), message?.id ?? 0)).state).toBe('cancelled')
      expect(world.wechat.ledger()).toEqual([])
    })

    test('may be cancelled by its backend before', async () => {
      await world.has(users(1, 2).permits(1))
      const [message] = await submitTo(world, [1], { not_before: later() })
      await giveToOther()
      expect((await cancelMessage(db, appId(), message?.id ?? 0, world.clock.now())).state).toBe('cancelled')
    })
  },
)
