import { describe, expect, test } from 'vitest'
import { execute } from '../../src/db/sql.js'
import type { JudgedMessage } from '../../src/messages/judged.js'
import type { HeldMessage } from '../../src/messages/message.js'
import { takeOver } from '../../src/messages/recovery.js'
import { settleBatch } from '../../src/messages/settle.js'
import { emptyTally, type Tally } from '../../src/messages/tally.js'
import type { Verdict } from '../../src/messages/verdict.js'
import { claimAll, claimOne } from '../helpers/claims.js'
import { DAY_MS, HOUR_MS, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

const SAID = { errcode: null, errmsg: null, rid: null, msgid: null }

const outcome = (
  message: HeldMessage,
  verdict: Verdict,
  { attempted = true, errcode = null }: { attempted?: boolean; errcode?: number | null } = {},
): JudgedMessage => ({ message, verdict, answer: { ...SAID, errcode }, attempted })

describe.each(dialects)('settling on %s', (dialect) => {
  const world = useWorld(dialect)

  async function settle(
    ...outcomes: JudgedMessage[]
  ): Promise<{ next: (HeldMessage | undefined)[]; tally: Tally }> {
    return settleBatch(world.db, outcomes, world.clock.now())
  }

  async function takenOver(): Promise<HeldMessage> {
    await world.lapseLeases()
    const limits = { limit: 10, leaseMs: 15_000, now: world.clock.now() }
    const [message] = (await takeOver(world.db, world.account, limits)).messages
    if (!message) throw new Error('There was nothing to take over')
    return message
  }

  const only = async () => (await world.messages())[0]

  test('writes down what WeChat said, and leaves the permit spent', async () => {
    await world.has(users(1, 3).permits(2))
    const [first, second, third] = await claimAll(world)
    if (!first || !second || !third) throw new Error('Three were due')
    const { tally } = await settle(
      {
        ...outcome(first, { kind: 'delivered' }, { errcode: 0 }),
        answer: { ...SAID, errcode: 0, msgid: '42' },
      },
      outcome(second, { kind: 'failed', stops: 'opt_out' }, { errcode: 43101 }),
      outcome(third, { kind: 'unknown' }),
    )
    expect(tally).toEqual({ ...emptyTally(), delivered: 1, failed: 1, unknown: 1 })
    expect(await world.messages()).toMatchObject([
      { state: 'delivered', attempts: 1, errcode: 0, msgid: '42', lease_until: null, maybe_sent: 0 },
      { state: 'failed', attempts: 1, errcode: 43101, lease_until: null },
      { state: 'unknown', attempts: 1, maybe_sent: 1, lease_until: null },
    ])
    for (const id of [1, 2, 3]) {
      expect((await world.permitsOf(id)).map(({ status }) => status)).toEqual([1, 0])
      expect(await world.counterOf(id)).toEqual({ count: 1, last_date: TODAY })
    }
    const books = await world.books()
    expect(books.stops).toMatchObject([
      { user_id: 2, opted_out_at: world.clock.now(), blocked_at: null, stop_errcode: 43101 },
    ])
  })

  test('notes when the next attempt is due, each message its own', async () => {
    await world.has(users(1, 3).permits(1))
    const [first, second, third] = await claimAll(world)
    if (!first || !second || !third) throw new Error('Three were due')
    const now = world.clock.now()
    await settle(
      outcome(first, { kind: 'retry', afterMs: 100, maybeSent: false }),
      outcome(second, { kind: 'retry', afterMs: 200, maybeSent: true }),
      outcome(third, { kind: 'retry', afterMs: 300, maybeSent: false }),
    )
    expect(await world.messages()).toMatchObject([
      { state: 'retry', next_attempt_at: now + 100, maybe_sent: 0, attempts: 1, lease_until: null },
      { state: 'retry', next_attempt_at: now + 200, maybe_sent: 1, attempts: 1, lease_until: null },
      { state: 'retry', next_attempt_at: now + 300, maybe_sent: 0, attempts: 1, lease_until: null },
    ])
  })

  const verdicts: Verdict[] = [
    { kind: 'delivered' },
    { kind: 'failed', stops: 'block' },
    { kind: 'unknown' },
    { kind: 'retry', afterMs: 0, maybeSent: true },
    { kind: 'give_back' },
    { kind: 'next_permit' },
  ]

  test.each(verdicts)(
    'a late verdict ($kind) of a process whose message was taken over changes nothing',
    async (verdict) => {
      await world.has(user(1).permits(3))
      const late = await claimOne(world)
      const heirs = await takenOver()
      expect(heirs).toMatchObject({ id: late.id, permitId: late.permitId, formId: late.formId })
      const books = await world.books()
      const messages = await world.messages()

      const { next, tally } = await settle(outcome(late, verdict, { errcode: 41028 }))
      expect(next).toEqual([undefined])
      expect(tally).toEqual({ ...emptyTally(), lost: 1 })
      expect(await world.messages()).toEqual(messages)
      expect(books.stops).toEqual([])
      expect(without(await world.books(), 'stops')).toEqual(without(books, 'stops'))

      expect((await settle(outcome(heirs, { kind: 'delivered' }))).tally).toMatchObject({ delivered: 1 })
    },
  )

  test('a verdict that comes a second time changes nothing', async () => {
    await world.has(user(1).permits(2))
    const message = await claimOne(world)
    await settle(outcome(message, { kind: 'give_back' }))
    const books = await world.books()
    expect((await settle(outcome(message, { kind: 'give_back' }))).tally).toMatchObject({
      cancelled: 0,
      lost: 1,
    })
    expect(await world.books()).toEqual(books)
  })

  describe('giving back', () => {
    test('restores permit, counter and last_date, and frees the day for another reminder', async () => {
      await world.has(user(1).permits(2).lastReminded(20_261_117), user(2).permits(1))
      const before = await world.books()
      const claimed = await claimAll(world)
      expect(await world.books()).not.toEqual(before)
      await settle(...claimed.map((each) => outcome(each, { kind: 'give_back' }, { errcode: 40037 })))
      expect(await world.books()).toEqual(before)
      expect(await world.messages()).toMatchObject([
        {
          user_id: 1,
          state: 'cancelled',
          business_date: null,
          errcode: 40037,
          attempts: 1,
          lease_until: null,
        },
        {
          user_id: 2,
          state: 'cancelled',
          business_date: null,
          errcode: 40037,
          attempts: 1,
          lease_until: null,
        },
      ])

      await execute(world.db, 'DELETE FROM wx_job_cursor')
      await execute(world.db, 'DELETE FROM wx_job_run')
      const again = await claimAll(world)
      expect(again.map(({ formId }) => formId)).toEqual(claimed.map(({ formId }) => formId))
    })

    test('makes no attempt of what was never sent', async () => {
      await world.has(user(1).permits(1))
      await settle(outcome(await claimOne(world), { kind: 'give_back' }, { attempted: false }))
      expect(await only()).toMatchObject({ state: 'cancelled', attempts: 0 })
    })

    test('giving back does not count a permit that ran out meanwhile', async () => {
      await world.has(
        user(1)
          .permitFor(2 * HOUR_MS)
          .permitFor(DAY_MS),
      )
      const message = await claimOne(world)
      world.clock.advance(3 * HOUR_MS)
      await settle(outcome(message, { kind: 'give_back' }))
      expect((await world.permitsOf(1)).map(({ status }) => status)).toEqual([2, 0])
      expect(await world.counterOf(1)).toEqual({ count: 1, last_date: 0 })
    })

    test('leaves a last_date alone that somebody wrote meanwhile', async () => {
      await world.has(user(1).permits(1).lastReminded(20_261_101))
      const message = await claimOne(world)
      await execute(world.db, 'UPDATE wx_message_push_status SET last_date = 20261110')
      await settle(outcome(message, { kind: 'give_back' }))
      expect(await world.counterOf(1)).toEqual({ count: 1, last_date: 20_261_110 })
    })

    test('a thousand at once come back exactly', async () => {
      await world.has(users(1, 999).permits(2))
      const before = await world.books()
      const claimed = await claimAll(world)
      const { tally } = await settle(...claimed.map((each) => outcome(each, { kind: 'give_back' })))
      expect(tally.cancelled).toBe(999)
      expect(await world.books()).toEqual(before)
    })
  })

  describe('a dead permit', () => {
    test('a dead permit stays spent with its code, and the next oldest is reserved for the same message', async () => {
      await world.has(user(1).permits(3))
      const message = await claimOne(world)
      const { next } = await settle(outcome(message, { kind: 'next_permit' }, { errcode: 41028 }))
      const permits = await world.permitsOf(1)
      expect(permits).toMatchObject([
        { status: 1, message_id: message.id, errcode: 41028 },
        { status: 1, message_id: message.id, errcode: null },
        { status: 0, message_id: 0, errcode: null },
      ])
      expect(next).toMatchObject([
        {
          id: message.id,
          lease: message.lease,
          permitId: permits[1]?.id,
          formId: permits[1]?.form_id,
          attempts: 1,
        },
      ])
      expect(await world.counterOf(1)).toEqual({ count: 1, last_date: TODAY })
      expect(await only()).toMatchObject({
        state: 'queued',
        permit_id: permits[1]?.id,
        errcode: 41028,
        attempts: 1,
      })
    })

    test('passes over one that runs out within a minute', async () => {
      await world.has(
        user(1)
          .permitFor(HOUR_MS)
          .permitFor(HOUR_MS + 30_000)
          .permitFor(DAY_MS),
      )
      const message = await claimOne(world)
      world.clock.advance(HOUR_MS - 10_000)
      const { next } = await settle(outcome(message, { kind: 'next_permit' }, { errcode: 41029 }))
      expect(next[0]?.permitId).toBe((await world.permitsOf(1))[2]?.id)
    })

    test('a dead permit without another one fails its message', async () => {
      await world.has(user(1).permits(1))
      const message = await claimOne(world)
      const { next, tally } = await settle(outcome(message, { kind: 'next_permit' }, { errcode: 41028 }))
      expect(next).toEqual([undefined])
      expect(tally).toEqual({ ...emptyTally(), failed: 1 })
      expect(await only()).toMatchObject({ state: 'failed', errcode: 41028, attempts: 1 })
      expect(await world.permitsOf(1)).toMatchObject([{ status: 1, errcode: 41028 }])
      expect(await world.counterOf(1)).toEqual({ count: 0, last_date: TODAY })
    })

    test('a dead permit of many users at once gives each of them their own next one', async () => {
      await world.has(users(1, 100).permits(2), users(101, 120).permits(1))
      const claimed = await claimAll(world)
      const { next, tally } = await settle(
        ...claimed.map((each) =>
          outcome(each, { kind: 'next_permit' }, { errcode: Number(each.userId) % 2 === 0 ? 41028 : 41029 }),
        ),
      )
      expect(next.filter((each) => each !== undefined)).toHaveLength(100)
      expect(tally).toEqual({ ...emptyTally(), failed: 20 })
      for (const [i, each] of next.entries()) {
        const [oldest, second] = await world.permitsOf(i + 1)
        expect(oldest?.errcode).toBe((i + 1) % 2 === 0 ? 41028 : 41029)
        expect(each?.permitId).toBe(second?.id)
      }
    })
  })
})

function without(books: Record<string, unknown>, table: string): Record<string, unknown> {
  const { [table]: _, ...rest } = books
  return rest
}
