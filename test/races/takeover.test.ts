import { afterEach, describe, expect, test } from 'vitest'
import { renewClaims } from '../../src/messages/lease-store.js'
import type { HeldMessage } from '../../src/messages/message.js'
import { takeOver } from '../../src/messages/recovery.js'
import { settleBatch } from '../../src/messages/settle.js'
import { emptyTally, type Tally } from '../../src/messages/tally.js'
import type { Verdict } from '../../src/messages/verdict.js'
import { claimOne } from '../helpers/claims.js'
import { dialects } from '../helpers/database.js'
import { endSession, openSteppingPool, type SteppingPool, someoneWaits } from '../helpers/stepping-pool.js'
import { user } from '../helpers/users.js'
import { useWorld, type World } from '../helpers/world.js'

/**
 * Who had a message against who takes it over: settling, giving back, going on to the next permit, renewing the lease.
 * Which comes first is set statement by statement. What each test was seen to catch:
 *
 * | taken out of the code | fails |
 * |---|---|
 * | the comparison of claims in lockHeld | give_back and next_permit, after and beside a takeover |
 * | `claim_id = ?` in settle | the other verdicts, after and beside a takeover |
 * | deleting the claim that was taken over | the renewals |
 * | FOR UPDATE in lockHeld | give_back and next_permit, beside a takeover |
 * | SKIP LOCKED in lockLapsedClaims or lockOfClaim, or their locks | every test in which the takeover comes second, and two takeovers |
 */
const VERDICTS: Verdict[] = [
  { kind: 'delivered' },
  // Without the person's stop: what WeChat says of a person is true whoever has the message, and is kept.
  { kind: 'failed' },
  { kind: 'unknown' },
  { kind: 'retry', afterMs: 60_000, maybeSent: true },
  { kind: 'give_back' },
  { kind: 'next_permit' },
]

/** Of the one who takes over; a renewal by the other one asks for more. */
const LEASE_MS = 15_000

function tools(world: World) {
  const pools: SteppingPool[] = []
  return {
    another(): SteppingPool {
      const pool = openSteppingPool(world.database)
      pools.push(pool)
      return pool
    },
    closePools: () => Promise.all(pools.splice(0).map((pool) => pool.close())),
    async settle(
      message: HeldMessage,
      verdict: Verdict,
      db = world.db,
    ): Promise<{ next: HeldMessage | undefined; tally: Tally }> {
      const answer = { errcode: 41028, errmsg: 'said', rid: null, msgid: null }
      const settled = await settleBatch(
        db,
        [{ message, verdict, answer, attempted: true }],
        world.clock.now(),
      )
      return { next: settled.next[0], tally: settled.tally }
    },
    async takeAll(db = world.db): Promise<HeldMessage[]> {
      const limits = { limit: 10, leaseMs: LEASE_MS, now: world.clock.now() }
      return (await takeOver(db, world.account, limits)).messages
    },
    /** All that a verdict could touch. */
    state: async () => ({ books: await world.books(), messages: await world.messages() }),
    /** A message whose holder let its lease lapse, and knows nothing of it. */
    async lapsed(): Promise<HeldMessage> {
      await world.has(user(1).permits(3))
      const message = await claimOne(world)
      await world.lapseLeases()
      return message
    },
  }
}

describe.each(dialects)('after a takeover on %s', (dialect) => {
  const world = useWorld(dialect)
  const { settle, takeAll, state, lapsed } = tools(world)

  test.each(VERDICTS)('the verdict $kind of the one who had the message changes nothing', async (verdict) => {
    const late = await lapsed()
    const [heir] = await takeAll()
    const before = await state()
    expect(await settle(late, verdict)).toEqual({ next: undefined, tally: { ...emptyTally(), lost: 1 } })
    expect(await state()).toEqual(before)
    expect(heir).toMatchObject({ id: late.id, permitId: late.permitId })
  })

  test('a renewal by the one who had the message leaves the lease of its heir', async () => {
    const late = await lapsed()
    await takeAll()
    const before = await world.messages()
    await renewClaims(world.db, [late.lease.claimId], 100 * LEASE_MS)
    expect(await world.messages()).toEqual(before)
  })
})

describe('beside a takeover on mysql', { tags: ['mysql'] }, () => {
  const world = useWorld('mysql')
  const { another, closePools, settle, takeAll, state, lapsed } = tools(world)
  afterEach(closePools)

  test.each(VERDICTS)('the verdict $kind waits for a takeover and then changes nothing', async (verdict) => {
    const late = await lapsed()
    const taker = another()
    const stop = taker.stop('before', /^COMMIT/)
    const taking = takeAll(taker.db)
    await stop.reached
    const before = await world.books()
    const settling = settle(late, verdict)
    await someoneWaits(world.db)
    stop.goOn()
    expect(await taking).toMatchObject([{ id: late.id, permitId: late.permitId }])
    const [message] = await world.messages()
    expect(await settling).toEqual({ next: undefined, tally: { ...emptyTally(), lost: 1 } })
    expect(await world.books()).toEqual(before)
    expect(await world.messages()).toEqual([message])
  })

  test.each(VERDICTS)(
    'a takeover passes over a message whose verdict $kind is being written',
    async (verdict) => {
      const holder = another()
      const held = await lapsed()
      const stop = holder.stop('before', /^COMMIT/)
      const settling = settle(held, verdict, holder.db)
      await stop.reached
      expect(await takeAll()).toEqual([])
      stop.goOn()
      const { tally } = await settling
      expect(tally.lost).toBe(0)
      const settled = await state()
      expect(settled.messages).toMatchObject([{ id: held.id, claim_id: held.lease.claimId }])
      // What has ended or is not due yet is nobody's to take. A next permit does not renew the lapsed lease.
      const heirs = await takeAll()
      if (verdict.kind === 'next_permit') expect(heirs).toMatchObject([{ id: held.id, attempts: 1 }])
      else {
        expect(heirs).toEqual([])
        expect(await state()).toEqual(settled)
      }
    },
  )

  test('a renewal waits for a takeover and leaves the lease of the heir', async () => {
    const late = await lapsed()
    const taker = another()
    const stop = taker.stop('before', /^COMMIT/)
    const taking = takeAll(taker.db)
    await stop.reached
    const renewing = renewClaims(world.db, [late.lease.claimId], 100 * LEASE_MS)
    await someoneWaits(world.db)
    stop.goOn()
    await Promise.all([taking, renewing])
    const [message] = await world.messages()
    expect(await renewing).toEqual([])
    expect(message?.claim_id).not.toBe(late.lease.claimId)
    expect(message?.lease_until).toBeLessThan(Date.now() + 2 * LEASE_MS)
  })

  test('a takeover in two processes gives the message to one of them', async () => {
    const late = await lapsed()
    const [first, second] = [another(), another()]
    const stop = first.stop('before', /^COMMIT/)
    const taking = takeAll(first.db)
    await stop.reached
    expect(await takeAll(second.db)).toEqual([])
    stop.goOn()
    expect(await taking).toMatchObject([{ id: late.id }])
    expect(await takeAll(second.db)).toEqual([])
  })

  test('a takeover whose process dies before its commit leaves the message as it was', async () => {
    const late = await lapsed()
    const dying = another()
    const stop = dying.stop('before', /^COMMIT/)
    const taking = takeAll(dying.db)
    await endSession(world.db, await stop.reached)
    stop.goOn()
    await expect(taking).rejects.toThrow()
    expect(await takeAll()).toMatchObject([{ id: late.id }])
  })
})
