import { describe, expect, test } from 'vitest'
import { FORM_ID_LIFETIME_MS } from '../../src/books/index.js'
import { execute, selectRows } from '../../src/db/sql.js'
import type { UserId } from '../../src/lib/user-id.js'
import { takeOver } from '../../src/messages/recovery.js'
import { settleBatch } from '../../src/messages/settle.js'
import { rebindUser } from '../../src/users/rebind.js'
import { claimOne } from '../helpers/claims.js'
import { HOUR_MS, NOW, SEND_PATH } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { openIdOf, user, users } from '../helpers/users.js'
import { type Process, useWorld } from '../helpers/world.js'

const SECOND = `${openIdOf(1).slice(0, -1)}B`

describe.each(dialects)('the next permit on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'sound books' })

  /** A permit that user 1 gave with another open_id. */
  async function givenBy(openId: string, hours: number, { known = true } = {}): Promise<void> {
    const { appId } = world.account
    const now = world.clock.now()
    const expire = now + hours * HOUR_MS
    const formId = known
      ? world.wechat.issueFormId({ appId, openId, at: expire - FORM_ID_LIFETIME_MS })
      : `invented-${openId}-${hours}`
    await execute(
      world.db,
      `INSERT INTO wx_save_form_id (app_id, open_id, user_id, form_id, expire, created_at, updated_at)
       VALUES (?, ?, 1, ?, ?, ?, ?)`,
      [appId, openId, formId, expire, now - HOUR_MS, now - HOUR_MS],
    )
    await execute(
      world.db,
      'UPDATE wx_message_push_status SET count = count + 1 WHERE app_id = ? AND user_id = 1',
      [appId],
    )
  }

  const openIds = async () =>
    (
      await selectRows<{ open_id: string }>(
        world.db,
        'SELECT COALESCE(m.open_id, f.open_id) AS open_id FROM wx_push_message m JOIN wx_save_form_id f ON f.id = m.permit_id ORDER BY m.id',
      )
    ).map(({ open_id }) => open_id)
  const sentTo = () => world.wechat.ledger().map(({ open_id }) => open_id)

  test('goes to the open_id that gave it, and the message with it', async () => {
    await world.has(user(1))
    await givenBy(openIdOf(1), 1, { known: false })
    for (const hours of [2, 3, 4]) await givenBy(SECOND, hours)
    expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 1, failed: 0 })
    expect(sentTo()).toEqual([SECOND])
    expect(await openIds()).toEqual([SECOND])
    expect(await world.counterOf(1)).toMatchObject({ count: 2 })
  })

  test('keeps its open_id through a retry and a takeover', async () => {
    await world.has(user(1))
    await givenBy(openIdOf(1), 1, { known: false })
    await givenBy(SECOND, 2)
    const claimed = await claimOne(world)
    expect(claimed.openId).toBe(openIdOf(1))
    const answer = { errcode: 41028, errmsg: null, rid: null, msgid: null }
    const times = { leaseMs: 15_000, now: world.clock.now() }
    const dead = { message: claimed, verdict: { kind: 'next_permit' } as const, answer, attempted: true }
    const {
      next: [next],
    } = await settleBatch(world.db, [dead], times.now)
    if (!next) throw new Error('There was a next permit')
    expect(next.openId).toBe(SECOND)
    const later = { kind: 'retry', afterMs: 0, maybeSent: false } as const
    await settleBatch(world.db, [{ message: next, verdict: later, answer, attempted: true }], times.now)
    const {
      messages: [retried],
    } = await takeOver(world.db, world.account, { limit: 1, ...times })
    expect(retried).toMatchObject({ openId: SECOND, formId: next.formId })
    await world.lapseLeases()
    const {
      messages: [takenOver],
    } = await takeOver(world.db, world.account, { limit: 1, ...times })
    expect(takenOver).toMatchObject({ openId: SECOND, formId: next.formId })
    if (!takenOver) throw new Error('It had lapsed')
    expect(await world.startProcess().send(takenOver)).toMatchObject({ kind: 'accepted' })
    await settleBatch(
      world.db,
      [{ message: takenOver, verdict: { kind: 'delivered' }, answer, attempted: true }],
      times.now,
    )
  })

  test('the next permit is never that of a person who was handed over to another user', async () => {
    await world.has(user(1), user(2))
    await givenBy(openIdOf(1), 1, { known: false })
    await givenBy(SECOND, 2)
    const claimed = await claimOne(world)
    await world.db.transaction((trx) =>
      rebindUser(trx, world.account, { openId: SECOND, userId: 1, movePermits: false }, world.clock.now()),
    )
    await world.db.transaction((trx) =>
      rebindUser(trx, world.account, { openId: SECOND, userId: 2, movePermits: true }, world.clock.now()),
    )
    const answer = { errcode: 41028, errmsg: null, rid: null, msgid: null }
    const times = { leaseMs: 15_000, now: world.clock.now() }
    const dead = { message: claimed, verdict: { kind: 'next_permit' } as const, answer, attempted: true }
    expect((await settleBatch(world.db, [dead], times.now)).next).toEqual([undefined])
    expect(await world.counterOf(2)).toMatchObject({ count: 1 })
    expect(await world.startProcess().remind()).toMatchObject({ delivered: 1 })
    expect(sentTo()).toEqual([SECOND])
    expect((await world.messages()).map(({ user_id, state }) => [user_id, state])).toEqual([
      [1, 'failed'],
      [2, 'delivered'],
    ])
  })

  describe('of somebody with a heap of invented form_ids', () => {
    /** Users 1 to `count` with 40 form_ids each that WeChat has never given out. */
    async function strangers(count: number): Promise<void> {
      const { appId } = world.account
      const now = world.clock.now()
      await world.has(users(1, count))
      for (const userId of users(1, count).ids) {
        for (let n = 0; n < 40; n++) {
          await execute(
            world.db,
            `INSERT INTO wx_save_form_id (app_id, open_id, user_id, form_id, expire, created_at, updated_at)
             VALUES (?, ?, ?, ?, ?, ?, ?)`,
            [
              appId,
              openIdOf(userId),
              userId,
              `invented-${userId}-${n}`,
              now + HOUR_MS + n,
              now - HOUR_MS,
              now - HOUR_MS,
            ],
          )
        }
      }
      await execute(world.db, 'UPDATE wx_message_push_status SET count = 40 WHERE app_id = ?', [appId])
    }

    /** A process that notes whom it sends to. */
    function watched(timeoutMs = 5_000): { process: Process; sent: UserId[] } {
      const { send } = world.startProcess({ timeoutMs })
      const sent: UserId[] = []
      const process = world.startProcess({
        send: (message) => {
          sent.push(message.userId)
          return send(message)
        },
      })
      return { process, sent }
    }

    test('the message tries five in a go and twenty in all, and holds up nobody', async () => {
      await strangers(1)
      await world.has(users(2, 21).permits(1))
      const { process, sent } = watched()
      world.clock.run(300)
      expect(await process.remind()).toMatchObject({ state: 'done', delivered: 20, failed: 1 })
      expect(sent.findIndex((userId) => userId !== 1)).toBe(5)
      expect(sent.filter((userId) => userId === 1)).toHaveLength(20)
      expect(await world.counterOf(1)).toMatchObject({ count: 20 })
      const [message] = await world.messages()
      expect(message).toMatchObject({ user_id: 1, state: 'failed', attempts: 20, errcode: 41028 })
    })

    test('waits between two goes with its next permit reserved', async () => {
      await strangers(1)
      await world.has(users(2, 3).permits(1))
      const { process, sent } = watched()
      const running = process.remind()
      await eventually('the others have been served', () => sent.length === 7)
      await eventually('it waits', async () => (await world.messages())[0]?.state === 'retry')
      const [message] = await world.messages()
      expect(message).toMatchObject({ attempts: 5, next_attempt_at: NOW + 30_000, lease_until: null })
      const [sixth] = (await world.permitsOf(1)).slice(5)
      expect(sixth).toMatchObject({
        id: message?.permit_id,
        status: 1,
        message_id: message?.id,
        errcode: null,
      })
      await world.expectAuditClean()
      world.clock.run(300)
      expect(await running).toMatchObject({ state: 'done', delivered: 2, failed: 1 })
    })

    test('three of them are tried alone, then everybody is served', async () => {
      await strangers(5)
      await world.has(users(6, 15).permits(1))
      const { process, sent } = watched()
      const running = process.remind()
      // On a slow machine the first one's pause would end before the third one's turn.
      await eventually('three have been tried', () => sent.length >= 15)
      world.clock.run(300)
      expect(await running).toMatchObject({ state: 'done', delivered: 10, failed: 5 })
      expect(new Set(sent.slice(0, 15))).toEqual(new Set([1, 2, 3]))
    })

    test('an honest second one shows that all is well', async () => {
      await strangers(1)
      await world.has(users(2, 30).permits(1))
      const { process, sent } = watched(500)
      world.wechat.addFault({ kind: 'hang', times: 1, after: 5, match: { path: SEND_PATH } })
      const running = process.remind()
      await eventually('the second one is at WeChat', () => sent.length === 6)
      expect(await world.messages()).toHaveLength(2)
      world.clock.run(300)
      expect(await running).toMatchObject({ delivered: 29 })
    })
  })
})
