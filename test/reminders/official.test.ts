import { describe, expect, test } from 'vitest'
import { execute } from '../../src/db/sql.js'
import { inTransaction } from '../../src/db/transaction.js'
import { recover } from '../../src/messages/recovery.js'
import { emptyTally } from '../../src/messages/tally.js'
import { CLIENT_MSG_ID_MS } from '../../src/messages/verdict.js'
import { planRun } from '../../src/reminders/plan.js'
import { rebindUser } from '../../src/users/rebind.js'
import { claimAll, claimOne } from '../helpers/claims.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, OFFICIAL_PATH, SECOND_MS, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { openIdOf, user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

const OFFICIAL = { channel: 'official' } as const
const ON_SEND = { match: { path: OFFICIAL_PATH } }

describe.each(dialects)('reminders of a service account on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'sound books' })
  const remind = () => world.startProcess().remind({ account: OFFICIAL })
  const official = () => ({ ...world.account, ...OFFICIAL })

  async function bind(openId: string, userId: number): Promise<void> {
    const account = { ...official(), userIds: 'backend' as const }
    const binding = { openId, userId, movePermits: true }
    await inTransaction(world.db, (trx) => rebindUser(trx, account, binding, world.clock.now()))
  }

  test('everybody who is known is reminded once a day, without a permit', async () => {
    await world.has(
      users(1, 3).following(),
      user(4).following().signedInToday(),
      user(5).following().optedOut(),
      user(6).following().blocked(),
      user(7).permits(1),
      user(8).following().lastReminded(TODAY),
    )
    expect(await remind()).toMatchObject({ state: 'done', due: 3, delivered: 3, skippedSignedIn: 1 })
    expect(await remind()).toMatchObject({ state: 'done', delivered: 0 })
    expect(world.reminded().sort()).toEqual([1, 2, 3])
    expect(await world.counterOf(1)).toEqual({ count: 0, last_date: TODAY })
    for (const message of await world.messages())
      expect(message).toMatchObject({
        channel: 'official',
        state: 'delivered',
        permit_id: null,
        open_id: openIdOf(message.user_id),
        msgid: expect.stringMatching(/^\d+$/),
      })

    world.clock.advance(DAY_MS)
    expect(await remind()).toMatchObject({ state: 'done', delivered: 5 })
    expect(world.wechat.summary().repeats).toEqual([])
  })

  test('permits of an earlier channel are neither needed nor spent', async () => {
    await world.has(users(1, 2).following().permits(2))
    expect(await remind()).toMatchObject({ delivered: 2 })
    expect(await world.counterOf(1)).toEqual({ count: 2, last_date: TODAY })
    expect((await world.permitsOf(1)).map(({ status }) => status)).toEqual([0, 0])
  })

  test('the plan names whom the run reminds, and nobody who lacks a permit', async () => {
    await world.has(users(1, 2).following(), user(3).following().signedInToday(), user(4).permits(1), user(5))
    const plan = await planRun(world.db, official(), TODAY, world.clock.now())
    expect(plan).toMatchObject({
      due: 2,
      skipped: { signed_in: 1, no_permit: 0, no_valid_permit: 0 },
      sample: [
        { user_id: 1, permit_id: null },
        { user_id: 2, permit_id: null },
      ],
    })
    expect(await remind()).toMatchObject({ due: 2, delivered: 2 })
  })

  test('a person who is bound today is reminded today, and one who changes users under the new one', async () => {
    await bind(openIdOf(1), 1)
    await bind(openIdOf(2), 17)
    await bind(openIdOf(2), 2)
    for (const id of [1, 2]) world.wechat.follow({ openId: openIdOf(id) })
    expect(await remind()).toMatchObject({ due: 2, delivered: 2 })
    expect((await world.messages()).map(({ user_id }) => user_id)).toEqual([1, 2])
  })

  test('a run finds those who were bound before the account had this channel', async () => {
    await world.has(users(1, 3).following())
    await execute(world.db, 'DELETE FROM wx_message_push_status')
    expect(await remind()).toMatchObject({ due: 3, delivered: 3 })
  })

  test('of several open_ids of a user, the one that was bound last gets the message', async () => {
    await bind(openIdOf(2), 1)
    world.clock.advance(1)
    await bind(openIdOf(1), 1)
    world.wechat.follow({ openId: openIdOf(1) })
    expect(await remind()).toMatchObject({ due: 1, delivered: 1 })
    expect(await world.messages()).toMatchObject([{ user_id: 1, open_id: openIdOf(1) }])
  })

  test('our own mistake gives last_date back, and the run goes on when it is mended', async () => {
    await world.has(
      users(1, 5)
        .following()
        .lastReminded(TODAY - 1),
    )
    world.wechat.addFault({ kind: 'errcode', errcode: 43116, ...ON_SEND })
    const before = await world.books()
    expect(await remind()).toMatchObject({ state: 'halted', reason: expect.stringContaining('43116') })
    expect(await world.books()).toEqual(before)
    world.wechat.clearFaults()
    expect(await remind()).toMatchObject({ state: 'done', delivered: 5 })
  })

  describe('a message whose answer is lost', () => {
    test('is sent again at once under the same client_msg_id, and delivered once', async () => {
      await world.has(users(1, 3).following())
      world.wechat.addFault({ kind: 'cut_after', times: 2, ...ON_SEND })
      expect(await remind()).toMatchObject({ state: 'done', delivered: 3, unknown: 0 })
      expect(world.wechat.ledger()).toHaveLength(3)
    })

    test.each([
      ['9:39', CLIENT_MSG_ID_MS - SECOND_MS, { delivered: 1 }],
      ['9:41', CLIENT_MSG_ID_MS + SECOND_MS, { unknown: 1 }],
      ['9:59', 10 * MINUTE_MS - SECOND_MS, { unknown: 1 }],
      ['10:01', 10 * MINUTE_MS + SECOND_MS, { unknown: 1 }],
    ])(
      'and whose process died is delivered once, or unknown: looked at after %s',
      async (_, later, ending) => {
        await world.has(user(1).following())
        const claimed = await claimOne(world, OFFICIAL)
        const process = world.startProcess()
        // It dies between WeChat's acceptance and our write.
        expect(await process.send(claimed)).toMatchObject({ kind: 'accepted' })
        await execute(world.db, "UPDATE wx_push_message SET state = 'sending'")
        await world.lapseLeases()
        world.clock.advance(later)
        expect(await process.recover(OFFICIAL)).toEqual({ ...emptyTally(), ...ending })
        expect(world.wechat.ledger()).toHaveLength(1)
        await world.startProcess().remind({ account: OFFICIAL })
        expect(world.wechat.ledger()).toHaveLength(1)
      },
    )

    test('is not sent again when its turn comes after ten minutes', async () => {
      await world.has(user(1).following())
      await claimOne(world, OFFICIAL)
      await execute(world.db, "UPDATE wx_push_message SET state = 'sending'")
      await world.lapseLeases()
      world.clock.advance(CLIENT_MSG_ID_MS - 1)
      const process = world.startProcess()
      const send: typeof process.send = (...args) => {
        world.clock.advance(1)
        return process.send(...args)
      }
      const tally = await recover({ ...process, send }, official(), { signal: new AbortController().signal })
      expect(tally).toEqual({ ...emptyTally(), unknown: 1 })
      expect(world.wechat.ledger()).toHaveLength(0)
    })
  })

  test('what a dead process had claimed and not sent is sent, however late', async () => {
    await world.has(users(1, 50).following())
    expect(await claimAll(world, OFFICIAL)).toHaveLength(50)
    await world.lapseLeases()
    world.clock.advance(HOUR_MS)
    expect(await world.startProcess().recover(OFFICIAL)).toEqual({ ...emptyTally(), delivered: 50 })
  })
})
