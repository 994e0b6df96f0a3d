import type { Knex } from 'knex'
import { afterEach, describe, expect, test } from 'vitest'
import { execute } from '../../src/db/sql.js'
import { compareKeys } from '../../src/lib/sorted.js'
import type { UserId } from '../../src/lib/user-id.js'
import type { HeldMessage } from '../../src/messages/message.js'
import { settleBatch } from '../../src/messages/settle.js'
import { rebindUser } from '../../src/users/rebind.js'
import { claimAll, claimOne } from '../helpers/claims.js'
import { openSteppingPool, type SteppingPool, someoneWaits } from '../helpers/stepping-pool.js'
import { openIdOf, user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

// @module-tag mysql

/**
 * Permits that change their user between the look and the lock of whoever wants to spend them. What each test was seen
 * to catch:
 *
 * | taken out of the code | fails |
 * |---|---|
 * | the comparison of users in claimCandidates | both claims |
 * | the comparison of users in takeNextPermits | the next permit |
 * | the second look in lockPermits | the next permit that is waited for |
 * | in handOver the lock by id: a lock by user instead | the next permit that is waited for |
 */
describe('beside a hand-over on mysql', () => {
  const world = useWorld('mysql')
  const pools: SteppingPool[] = []
  const another = (): SteppingPool => {
    const pool = openSteppingPool(world.database)
    pools.push(pool)
    return pool
  }
  afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.close())))

  const LOOK = /ORDER BY f\.expire, f\.id LIMIT 1/

  /** Binds a user's open_id, so that it can be handed over. */
  async function bound(userId = 1): Promise<void> {
    await execute(
      world.db,
      'INSERT INTO wx_user (app_id, open_id, user_id, created_at, updated_at) VALUES (?, ?, ?, 1, 1)',
      [world.account.appId, openIdOf(userId), userId],
    )
  }

  async function handOver(to: number, from = 1, db = world.db): Promise<void> {
    const binding = { openId: openIdOf(from), userId: to, movePermits: true }
    await db.transaction((trx) => rebindUser(trx, world.account, binding, world.clock.now()))
  }

  const settle = (message: HeldMessage, db: Knex) =>
    settleBatch(
      db,
      [
        {
          message,
          verdict: { kind: 'next_permit' },
          answer: { errcode: 41028, errmsg: null, rid: null, msgid: null },
          attempted: true,
        },
      ],
      world.clock.now(),
    )

  /** Lets a claim stand still after it has looked, and hands user 1's permits over meanwhile. */
  async function claimBesideHandOver(to: number): Promise<UserId[]> {
    const pool = another()
    const stop = pool.stop('after', LOOK)
    const claiming = claimAll({ ...world, db: pool.db })
    await stop.reached
    await handOver(to)
    stop.goOn()
    const claimed = (await claiming).map(({ userId }) => userId)
    return [...claimed, ...(await claimAll(world)).map(({ userId }) => userId)]
  }

  test('a claim takes nobody twice who has got the permit of another candidate', async () => {
    // So many that the first two are in one range.
    await world.has(users(1, 40).permits(1))
    await bound()
    const claimed = await claimBesideHandOver(2)
    expect(claimed.sort(compareKeys)).toEqual(users(2, 40).ids)
    expect(await world.counterOf(2)).toMatchObject({ count: 1 })
  })

  test('a claim takes nobody who has signed in and got the permit of a candidate', async () => {
    await world.has(user(1).permits(1), user(2).signedInToday())
    await bound()
    expect(await claimBesideHandOver(2)).toEqual([])
    expect(await world.counterOf(2)).toMatchObject({ count: 1, last_date: 0 })
  })

  test('a next permit is none of another user’s', async () => {
    await world.has(user(1).permits(2), user(2))
    await bound()
    const message = await claimOne(world)
    const pool = another()
    const stop = pool.stop('after', LOOK)
    const settling = settle(message, pool.db)
    await stop.reached
    await handOver(2)
    stop.goOn()
    expect((await settling).next).toEqual([undefined])
    expect(await world.counterOf(2)).toMatchObject({ count: 1 })
    expect(await world.messages()).toMatchObject([
      { user_id: 1, state: 'retry', permit_id: message.permitId },
    ])
  })

  // Its row moves, because rows lie by user: to before the place where it is waited for, if the user is smaller.
  test.each([1, 3])('a next permit that is waited for is found where it went, to user %i', async (to) => {
    await world.has(user(to), user(2).permits(2))
    await bound(2)
    const message = await claimOne(world)
    const giver = another()
    const stop = giver.stop('after', /FROM wx_save_form_id.* AND status = 0 ORDER BY id FOR UPDATE/s)
    const handing = handOver(to, 2, giver.db)
    await stop.reached
    const looked: string[] = []
    const db = another().db.on('query', ({ sql }: { sql: string }) => looked.push(sql))
    const settling = settle(message, db)
    await someoneWaits(world.db)
    stop.goOn()
    await handing
    expect((await settling).next).toEqual([undefined])
    expect(await world.counterOf(to)).toMatchObject({ count: 1 })
    expect(await world.messages()).toMatchObject([
      { user_id: 2, state: 'retry', permit_id: message.permitId },
    ])
    // Neither was ended by a deadlock and tried again.
    expect(looked.filter((sql) => LOOK.test(sql))).toHaveLength(1)
  })
})
