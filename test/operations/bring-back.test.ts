import { describe, expect, test } from 'vitest'
import { execute, selectRows } from '../../src/db/sql.js'
import { inTransaction } from '../../src/db/transaction.js'
import type { UserId } from '../../src/lib/user-id.js'
import { settleBatch } from '../../src/messages/settle.js'
import { bringBack } from '../../src/operations/bring-back.js'
import { acceptTap } from '../../src/permits/subscriptions.js'
import { recordOptOut, recordStop, recordWish } from '../../src/users/stop-store.js'
import { claimAll } from '../helpers/claims.js'
import { MINUTE_MS, NOW } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { openIdOf, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)('bringing people back on %s', (dialect) => {
  const world = useWorld(dialect)

  /** A run in which WeChat refuses everybody with 43101. Answers its id. */
  async function refuseAll(errcode = 43101): Promise<number> {
    const claimed = await claimAll(world)
    const stops = errcode === 43101 ? 'opt_out' : 'block'
    const outcomes = claimed.map((message) => ({
      message,
      verdict: { kind: 'failed', stops } as const,
      answer: { errcode, errmsg: 'refused', rid: null, msgid: null },
      attempted: true,
    }))
    await execute(world.db, "UPDATE wx_push_message SET state = 'sending' WHERE state = 'queued'")
    await settleBatch(world.db, outcomes, world.clock.now())
    const [run] = await world.runs()
    return run?.id ?? 0
  }

  const back = (runIds: number[], options: { since?: number; dryRun?: boolean; signal?: AbortSignal } = {}) =>
    bringBack(
      world.db,
      {
        appId: world.account.appId,
        runIds,
        since: 0,
        dryRun: false,
        signal: new AbortController().signal,
        ...options,
      },
      world.clock.now(),
    )

  async function stopped(): Promise<number[]> {
    const rows = await selectRows<{ user_id: number }>(
      world.db,
      'SELECT user_id FROM wx_user WHERE opted_out_at IS NOT NULL OR blocked_at IS NOT NULL ORDER BY user_id',
    )
    return rows.map(({ user_id }) => user_id)
  }

  const personOf = (userId: UserId) => ({ appId: world.account.appId, openId: openIdOf(userId), userId })

  test.each([43101, 43004])('undoes what the refusals of a run (%d) recorded, once', async (errcode) => {
    await world.has(users(1, 600).permits(2))
    const run = await refuseAll(errcode)
    expect(await stopped()).toHaveLength(600)
    expect(await back([run], { dryRun: true })).toEqual({ people: 600, permits: 0 })
    expect(await stopped()).toHaveLength(600)
    expect(await back([run])).toEqual({ people: 600, permits: 0 })
    expect(await stopped()).toEqual([])
    expect(await back([run])).toEqual({ people: 0, permits: 0 })
    const rows = await selectRows(world.db, 'SELECT DISTINCT stop_errcode, stop_message_id FROM wx_user')
    expect(rows).toEqual([{ stop_errcode: null, stop_message_id: null }])
  })

  test('leaves what a wish, an event, a hand, or a later refusal recorded', async () => {
    await world.has(users(1, 6).permits(2))
    const run = await refuseAll()
    const later = world.clock.now() + MINUTE_MS
    const { db, account } = world
    await inTransaction(db, async (trx) => {
      await recordWish(trx, { appId: account.appId, userId: 1 }, later)
      await recordOptOut(trx, { ...personOf(2), errcode: 43101, at: later }, later)
      await execute(trx, 'UPDATE wx_user SET stop_errcode = NULL, stop_message_id = NULL WHERE user_id = 3')
      await recordStop(trx, personOf(4), { kind: 'opt_out', errcode: 43101, messageId: 999_999 }, later)
    })
    expect(await back([run])).toEqual({ people: 2, permits: 0 })
    expect(await stopped()).toEqual([1, 2, 3, 4])
  })

  test('a wish stays a wish, whatever WeChat answers afterwards', async () => {
    await world.has(users(1, 2).permits(2))
    const claimed = await claimAll(world)
    await inTransaction(world.db, async (trx) => {
      for (const { openId, userId, id } of claimed) {
        await recordStop(
          trx,
          { ...personOf(userId), openId },
          { kind: 'opt_out', errcode: 43101, messageId: id },
          1,
        )
        await recordWish(trx, { appId: world.account.appId, openId }, 2)
        await recordStop(
          trx,
          { ...personOf(userId), openId },
          { kind: 'opt_out', errcode: 43101, messageId: id },
          3,
        )
        await recordOptOut(trx, { ...personOf(userId), errcode: 43101, at: 4 }, 4)
      }
    })
    const rows = await selectRows(world.db, 'SELECT opted_out_at, stop_errcode, stop_message_id FROM wx_user')
    expect(rows).toEqual([1, 2].map(() => ({ opted_out_at: 2, stop_errcode: null, stop_message_id: null })))
    const [run] = await world.runs()
    expect(await back([run?.id ?? 0])).toEqual({ people: 0, permits: 0 })
  })

  test('bringing people back since a time undoes only what was refused from then on', async () => {
    await world.has(users(1, 3).permits(2))
    const run = await refuseAll()
    expect(await back([run], { since: NOW + 1 })).toEqual({ people: 0, permits: 0 })
    expect(await back([run], { since: NOW })).toEqual({ people: 3, permits: 0 })
  })

  test('a subscription that a later accept voided for the refusal is good again', async () => {
    await world.has(users(1, 3).permits(1))
    const { db, clock } = world
    const tap = (userId: number, tappedAt: number, reportId: string) =>
      inTransaction(db, (trx) =>
        acceptTap(
          trx,
          { ...personOf(userId), templateId: 'template', tappedAt, reportId, reporter: 'client' },
          clock.now(),
        ),
      )
    for (const userId of [1, 2]) await tap(userId, NOW - MINUTE_MS, 'before')
    const run = await refuseAll()
    clock.run(0)
    expect(await tap(1, NOW + MINUTE_MS, 'after')).toBe('accepted')
    const counts = async () => [(await world.counterOf(1))?.count, (await world.counterOf(2))?.count]
    expect(await counts()).toEqual([1, 1])

    expect(await back([run], { dryRun: true })).toEqual({ people: 2, permits: 1 })
    expect(await back([run])).toEqual({ people: 2, permits: 1 })
    expect(await counts()).toEqual([2, 1])
    expect(await back([run])).toEqual({ people: 0, permits: 0 })
  })

  test('one that was cut short goes on when it is run again', async () => {
    await world.has(users(1, 600).permits(1))
    const run = await refuseAll()
    const stop = new AbortController()
    const done = await bringBack(
      world.db,
      {
        appId: world.account.appId,
        runIds: [run],
        since: 0,
        dryRun: false,
        signal: stop.signal,
        onProgress: () => stop.abort(),
      },
      NOW,
    )
    expect(done.people).toBe(500)
    expect(await back([run])).toEqual({ people: 100, permits: 0 })
  })
})
