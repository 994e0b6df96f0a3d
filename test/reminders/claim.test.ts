import { describe, expect, test } from 'vitest'
import { execute, selectRows } from '../../src/db/sql.js'
import { findOrAddCard } from '../../src/messages/card-store.js'
import { type Claim, type ClaimOptions, claimDue } from '../../src/reminders/claim.js'
import { closeRun, openRun } from '../../src/runs/occurrences.js'
import { resetRanges } from '../../src/runs/ranges.js'
import type { Reason } from '../../src/runs/reason.js'
import { claimAll, claimOne } from '../helpers/claims.js'
import { HOUR_MS, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { openIdOf, user, users } from '../helpers/users.js'
import { DEMO, type Process, useWorld } from '../helpers/world.js'

const WRONG: Reason = { en: 'wrong template', zh: '模板错误', cause: 'configuration', errcode: 40037 }

type Limits = Pick<ClaimOptions, 'examine' | 'claim' | 'areFewDue'>

describe.each(dialects)('claiming on %s', (dialect) => {
  const world = useWorld(dialect)

  const claimedUsers = async (): Promise<number[]> =>
    (await claimAll(world)).map(({ userId }) => Number(userId)).sort((a, b) => a - b)

  async function open(): Promise<number> {
    const { appId } = world.account
    const { run } = await openRun(
      world.db,
      { job: 'remind', appId, slot: TODAY },
      { triggeredBy: 'cron', state: 'running' },
      world.clock.now(),
    )
    await world.db.transaction((trx) => resetRanges(trx, run.id, appId))
    return run.id
  }

  async function claim(runId: number, limits: Limits, db = world.db): Promise<Claim> {
    const now = world.clock.now()
    const card = await findOrAddCard(db, world.account, now)
    return claimDue(db, world.account, { runId, date: TODAY, card, leaseMs: 15_000, now, ...limits })
  }

  async function claimToTheEnd(process: Process, runId: number, limits: Limits) {
    const userIds: number[] = []
    for (;;) {
      const next = await claim(runId, limits, process.db)
      if (next.kind === 'exhausted') return userIds
      if (next.kind === 'claimed') userIds.push(...next.messages.map(({ userId }) => Number(userId)))
    }
  }

  test('writes the intent down before anything is sent: permit, counter, day and message', async () => {
    await world.has(user(7).permits(2).streak(3).lastReminded(20_261_118))
    const held = await claimOne(world)
    const [oldest, next] = await world.permitsOf(7)
    expect(held).toMatchObject({
      userId: 7,
      openId: openIdOf(7),
      permitId: oldest?.id,
      formId: oldest?.form_id,
      attempts: 0,
      maybeSent: false,
      channel: 'form_id',
      templateId: DEMO.templateId,
      page: DEMO.page,
      data: { keyword2: { value: '已经连续答题3天' }, keyword4: { value: '2026.11.20 星期五' } },
    })
    expect(oldest).toMatchObject({ status: 1, message_id: held.id })
    expect(next).toMatchObject({ status: 0, message_id: 0 })
    expect(await world.counterOf(7)).toEqual({ count: 1, last_date: TODAY })
    const [message] = await world.messages()
    expect(message).toMatchObject({
      id: held.id,
      state: 'sending',
      business_date: TODAY,
      permit_id: oldest?.id,
      last_date_before: 20_261_118,
      attempts: 0,
      maybe_sent: 0,
      claim_id: held.lease.claimId,
      streak: 3,
    })
    expect(JSON.parse(message?.data ?? '')).toEqual(world.account.data)
    expect(message?.lease_until).toBeGreaterThan(Date.now())
  })

  test('takes the permit that runs out first, however they came in', async () => {
    await world.has(
      user(1)
        .permitFor(50 * HOUR_MS)
        .permitFor(3 * HOUR_MS)
        .permitFor(20 * HOUR_MS),
      user(2).permits(7),
    )
    for (const { userId, permitId } of await claimAll(world)) {
      expect(permitId).toBe((await world.permitsOf(userId))[0]?.id)
    }
  })

  test('claiming takes, of permits that run out together, the one that came in first', async () => {
    await world.has(user(1).permitFor(HOUR_MS).permitFor(HOUR_MS).permitFor(HOUR_MS))
    const ids = (await world.permitsOf(1)).map(({ id }) => id)
    expect((await claimOne(world)).permitId).toBe(Math.min(...ids))
  })

  test('passes over a permit that lives a minute or less', async () => {
    await world.has(
      user(1)
        .permitFor(60_000)
        .permitFor(2 * HOUR_MS),
      user(2).permitFor(60_001),
      user(3).permitFor(60_000),
    )
    const claimed = await claimAll(world)
    expect(claimed.map(({ userId }) => userId)).toEqual([1, 2])
    expect(claimed[0]?.permitId).toBe((await world.permitsOf(1))[1]?.id)
  })

  test('leaves alone who signed in, opted out, is blocked, was reminded, or has no permit', async () => {
    await world.has(
      user(1).permits(1).signedInToday(),
      user(2).permits(1).optedOut(),
      user(3).permits(1).blocked(),
      user(4).permits(1).lastReminded(TODAY),
      user(5),
      user(6).permits(1),
      user(7).permits(1).streak(5).lastReminded(20_261_119),
    )
    const before = await world.books()
    expect(await claimedUsers()).toEqual([6, 7])
    const untouched = (rows: { user_id: number }[] = []) => rows.filter(({ user_id }) => user_id < 6)
    const after = await world.books()
    expect(untouched(after.permits)).toEqual(untouched(before.permits))
    expect(untouched(after.counters)).toEqual(untouched(before.counters))
  })

  test('claims nobody twice for a day, even if last_date was set back by hand', async () => {
    await world.has(users(1, 3).permits(3))
    expect(await claimedUsers()).toEqual([1, 2, 3])
    await execute(world.db, 'UPDATE wx_message_push_status SET last_date = 0')
    const [run] = await world.runs()
    await world.db.transaction((trx) => resetRanges(trx, run?.id ?? 0, world.account.appId))
    expect(await claimedUsers()).toEqual([])
  })

  test('the unique key itself refuses a second reminder of a user and day', async () => {
    await world.has(user(1).permits(1))
    await claimOne(world)
    const columns =
      'app_id, user_id, business_date, claim_id, permit_id, card_id, state, created_at, updated_at'
    const copy = `INSERT INTO wx_push_message (${columns}) SELECT ${columns} FROM wx_push_message`
    await expect(execute(world.db, copy)).rejects.toThrow(/unique|duplicate/i)
  })

  test('claims nobody of another account', async () => {
    await world.has(users(1, 5).permits(1))
    await execute(world.db, "UPDATE wx_save_form_id SET app_id = 'wxOther' WHERE user_id <= 2")
    await execute(world.db, "UPDATE wx_message_push_status SET app_id = 'wxOther' WHERE user_id <= 2")
    expect(await claimedUsers()).toEqual([3, 4, 5])
  })

  test('finds users at both ends of the numbers and those who come while it runs', async () => {
    await world.has(users(100, 110).permits(1))
    const runId = await open()
    await world.has(user(1).permits(1), user(99_999).permits(1), user(105_000_000).permits(1))
    expect((await claimToTheEnd(world.startProcess(), runId, { examine: 3, claim: 3 })).length).toBe(14)
  })

  test.each([
    { examine: 1, claim: 1 },
    { examine: 7, claim: 3 },
    { examine: 50, claim: 500 },
    { examine: 50, claim: 500, areFewDue: true },
  ])('misses nobody with any sizes of batches: $examine examined, $claim claimed', async (limits) => {
    await world.has(users(1, 40).permits(1), users(41, 60).permitFor(1_000), users(61, 100).permits(2))
    const claimed = await claimToTheEnd(world.startProcess(), await open(), limits)
    expect(claimed.sort((a, b) => a - b)).toEqual([...users(1, 40).ids, ...users(61, 100).ids])
  })

  test('says that the run was ended by somebody else, and why', async () => {
    await world.has(user(1).permits(1))
    const runId = await open()
    await closeRun(world.db, runId, { state: 'halted', reason: WRONG }, world.clock.now())
    expect(await claim(runId, { examine: 10, claim: 10 })).toEqual({
      kind: 'ended',
      state: 'halted',
      reason: WRONG,
    })
    expect(await world.messages()).toEqual([])
  })

  test('claiming by several processes at once takes each user once and misses none', async () => {
    await world.has(users(1, 600).permits(2))
    const runId = await open()
    const processes = Array.from({ length: 4 }, () => world.startProcess())
    const claimed = await Promise.all(
      processes.map((process) => claimToTheEnd(process, runId, { examine: 25, claim: 25 })),
    )
    expect(claimed.flat().sort((a, b) => a - b)).toEqual(users(1, 600).ids)
    const permits = await selectRows<{ n: number }>(
      world.db,
      'SELECT COUNT(*) AS n FROM wx_save_form_id WHERE status = 1',
    )
    expect(permits).toEqual([{ n: 600 }])
  })

  test('claiming beside the same run started over takes each user once', async () => {
    await world.has(users(1, 400).permits(3))
    const runId = await open()
    const processes = Array.from({ length: 3 }, () => world.startProcess())
    const claims = processes.map((process) => claimToTheEnd(process, runId, { examine: 20, claim: 20 }))
    for (let i = 0; i < 5; i++) {
      await processes[0]?.db.transaction((trx) => resetRanges(trx, runId, world.account.appId))
    }
    const claimed = (await Promise.all(claims)).flat()
    claimed.push(...(await claimToTheEnd(world.startProcess(), runId, { examine: 20, claim: 20 })))
    expect(claimed.sort((a, b) => a - b)).toEqual(users(1, 400).ids)
  })
})

describe('claiming on mysql', { tags: ['mysql'] }, () => {
  const world = useWorld('mysql')

  test('comes back to a user whose permit somebody held while it passed', async () => {
    await world.has(users(1, 5).permits(1))
    const holder = world.startProcess()
    const [permit] = await world.permitsOf(3)
    const trx = await holder.db.transaction()
    await trx.raw('SELECT id FROM wx_save_form_id WHERE id = ? FOR UPDATE', [permit?.id ?? 0])
    const claiming = claimAll(world)
    const first = await claiming
    expect(first.map(({ userId }) => userId)).not.toContain(3)
    await trx.rollback()
    const second = await claimAll(world)
    expect([...first, ...second].map(({ userId }) => userId).sort()).toEqual([1, 2, 3, 4, 5])
  })
})
