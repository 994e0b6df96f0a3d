import { describe, expect, test } from 'vitest'
import { execute } from '../../src/db/sql.js'
import { addDays } from '../../src/lib/business-date.js'
import { planRun } from '../../src/reminders/plan.js'
import { claimAll } from '../helpers/claims.js'
import { DAY_MS, NOW, SEND_PATH, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)('the plan on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'anything' })

  const plan = (date = TODAY, at = NOW) => planRun(world.db, world.account, date, at)

  async function everyKind(): Promise<void> {
    await world.has(
      users(1, 12).permits(2).streak(4),
      users(13, 15).permits(1).signedInToday(),
      users(16, 17).permits(1).lastReminded(TODAY),
      user(18).permits(1).optedOut(),
      user(19).permits(1).blocked(),
      users(20, 23).permitFor(30_000),
      users(24, 28),
    )
  }

  test('tells who is due and who is not and why, each user once', async () => {
    await everyKind()
    expect(await plan()).toMatchObject({
      date: TODAY,
      due: 12,
      skipped: { signed_in: 3, reminded_today: 2, stopped: 2, no_valid_permit: 4, no_permit: 5 },
    })
  })

  test('shows the first reminders with the permits and words that they would have', async () => {
    await everyKind()
    const { sample } = await plan()
    expect(sample.map(({ user_id }) => user_id)).toEqual(users(1, 10).ids)
    expect(sample[0]).toEqual({
      user_id: 1,
      permit_id: (await world.permitsOf(1))[0]?.id,
      data: {
        keyword1: { value: '日领积分' },
        keyword2: { value: '已经连续答题4天' },
        keyword4: { value: '2026.11.20 星期五' },
      },
    })
  })

  test('writes nothing and asks WeChat nothing', async () => {
    await everyKind()
    const before = await world.books()
    await plan()
    expect(await world.books()).toEqual(before)
    expect(await world.messages()).toEqual([])
    expect(await world.runs()).toEqual([])
    expect(world.wechat.stats().answers).toEqual({})
  })

  test('says what the run then does', async () => {
    await everyKind()
    const { due } = await plan()
    expect(await world.startProcess().remind()).toMatchObject({ due, delivered: due, skippedSignedIn: 3 })
    expect(await plan()).toMatchObject({ due: 0, skipped: { reminded_today: 2 + due } })
    await world.expectSound()
  })

  test('the plan of a day to come leaves out the permits that will have run out, and knows no sign-in yet', async () => {
    await world.has(user(1).permits(1), user(2).permits(3), user(3).permits(3).signedInToday())
    const future = await plan(addDays(TODAY, 1), NOW + DAY_MS)
    expect(future).toMatchObject({ due: 2, skipped: { no_valid_permit: 1, signed_in: 0 } })
    expect(future.sample.map(({ user_id }) => user_id)).toEqual([2, 3])
  })

  test('calls nobody reminded whose message failed, is in doubt, in hand, or was given back', async () => {
    await world.has(users(1, 20).permits(1))
    await claimAll(world)
    const settle = (state: string, ids: string) =>
      execute(world.db, `UPDATE wx_push_message SET state = ? WHERE user_id IN (${ids})`, [state])
    await settle('delivered', '1, 2, 3, 4')
    await settle('failed', '5, 6, 7')
    await settle('unknown', '8, 9')
    await settle('retry', '10')
    await settle('queued', '11')
    expect(await plan()).toMatchObject({
      due: 0,
      skipped: { reminded_today: 4, failed_today: 3, unknown_today: 2, in_hand: 11 },
      given_back: 0,
    })
  })

  test('tells of reminders that were given back, until their users have another one', async () => {
    await world.has(users(1, 5).permits(1))
    world.wechat.addFault({ kind: 'errcode', errcode: 40037, match: { path: SEND_PATH } })
    expect(await world.startProcess().remind()).toMatchObject({ state: 'halted' })
    const { due, given_back } = await plan()
    expect({ due, given_back: given_back > 0 }).toEqual({ due: 5, given_back: true })
    world.wechat.clearFaults()
    await world.startProcess().remind()
    expect(await plan()).toMatchObject({ due: 0, skipped: { reminded_today: 5 }, given_back: 0 })
  })

  test('the plan of nobody is empty', async () => {
    expect(await plan()).toMatchObject({ due: 0, sample: [] })
  })
})
