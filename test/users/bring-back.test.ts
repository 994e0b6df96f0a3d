import { describe, expect, test } from 'vitest'
import { inTransaction } from '../../src/db/transaction.js'
import { acceptTap, endSubscriptions } from '../../src/permits/subscriptions.js'
import { bringBackNamed } from '../../src/users/bring-back.js'
import { recordOptOut } from '../../src/users/stop-store.js'
import { DAY_MS, MINUTE_MS, SUBSCRIBE_PATH, TEMPLATE_ID } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { openIdOf, user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)('a user who is brought back by name on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'clean books' })
  const { db } = world
  const account = { channel: 'subscribe' } as const
  const appId = () => world.account.appId
  const personOf = (userId: number) => ({ appId: appId(), openId: openIdOf(userId), userId })
  const inTrx = <T>(work: Parameters<typeof inTransaction<T>>[1]) => inTransaction(db, work)
  const back = (named: { userId: number } | { openId: string }) =>
    inTrx((trx) => bringBackNamed(trx, { appId: appId(), ...named }, world.clock.now()))
  const countOf = async (userId: number) => (await world.counterOf(userId))?.count
  const remind = () => world.startProcess().remind({ account })
  const tap = (userId: number, reportId: string) =>
    inTrx((trx) => {
      const now = world.clock.now()
      const report = { templateId: TEMPLATE_ID, tappedAt: now, reportId, reporter: 'client' } as const
      return acceptTap(trx, { ...personOf(userId), ...report }, now)
    })

  /** WeChat refuses the next so many messages, as it does in a storm of false refusals. */
  const refuse = (times: number) =>
    world.wechat.addFault({ kind: 'errcode', errcode: 43101, match: { path: SUBSCRIBE_PATH }, times })

  test.each([['user', { userId: 1 }] as const, ['open_id', { openId: openIdOf(1) }] as const])(
    'has the subscriptions again that the refusal of a message voided, by %s, and is reminded',
    async (_, named) => {
      await world.has(user(1).subscriptions(3))
      refuse(1)
      expect(await remind()).toMatchObject({ failed: 1 })
      expect(await countOf(1)).toBe(0)
      expect(await back(named)).toBe(2)
      expect(await countOf(1)).toBe(2)
      expect(await back(named)).toBe(0)
      world.clock.advance(DAY_MS)
      expect(await remind()).toMatchObject({ delivered: 1 })
    },
  )

  test('has those again that the refusal of a submitted message voided, which left no stop', async () => {
    await world.has(user(1).subscriptions(3))
    refuse(1)
    await submitTo(world, [1], { account })
    await sendSubmitted(world, world.startProcess(), account)
    expect(await countOf(1)).toBe(0)
    // A login has made the person known.
    await inTrx((trx) =>
      trx('wx_user').insert({
        app_id: appId(),
        open_id: openIdOf(1),
        user_id: 1,
        created_at: 1,
        updated_at: 1,
      }),
    )
    expect(await back({ userId: 1 })).toBe(2)
  })

  test('has none again of which WeChat’s event said that they were turned off', async () => {
    await world.has(user(1).subscriptions(3))
    const refusedAt = world.clock.now()
    const off = { ...personOf(1), templateId: TEMPLATE_ID }
    await inTrx(async (trx) => {
      await endSubscriptions(trx, { ...off, refusedAt }, refusedAt)
      await recordOptOut(trx, { ...off, errcode: 43101, at: refusedAt }, refusedAt)
    })
    expect(await back({ userId: 1 })).toBe(0)
    expect(await countOf(1)).toBe(0)
  })

  test('has none again after a later accept, and another user keeps what is void', async () => {
    await world.has(users(1, 2).subscriptions(3))
    refuse(2)
    await remind()
    world.clock.advance(MINUTE_MS)
    expect(await tap(1, 'after')).toBe('accepted')
    expect(await back({ userId: 1 })).toBe(0)
    expect([await countOf(1), await countOf(2)]).toEqual([1, 0])
  })
})
