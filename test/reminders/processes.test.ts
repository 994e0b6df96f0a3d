import { describe, expect, test } from 'vitest'
import { execute } from '../../src/db/sql.js'
import { findDueRun } from '../../src/reminders/due.js'
import { closeRun } from '../../src/runs/occurrences.js'
import type { SendResult } from '../../src/wechat/client.js'
import { ACCEPTED } from '../helpers/answers.js'
import { claimAll } from '../helpers/claims.js'
import { MINUTE_MS, SEND_PATH, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { user, users } from '../helpers/users.js'
import { createWorld, useWorld, without } from '../helpers/world.js'

describe.each(dialects)('several processes on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'sound books' })

  const sorted = (ids: number[]): number[] => [...ids].sort((a, b) => a - b)

  test('several processes that race for one occurrence share it: nobody twice, nobody missed, one run', async () => {
    await world.has(users(1, 600).permits(2), users(601, 610).permits(1).signedInToday())
    const processes = Array.from({ length: 3 }, () => world.startProcess())
    const reports = await Promise.all(processes.map((process) => process.remind()))
    expect(reports.map(({ state }) => state)).toEqual(['done', 'done', 'done'])
    expect(reports.reduce((sum, { delivered }) => sum + delivered, 0)).toBe(600)
    expect(sorted(world.reminded())).toEqual(users(1, 600).ids)
    expect(await world.runs()).toMatchObject([{ slot: TODAY, state: 'done', delivered: 600 }])
    const { counters = [] } = await world.books()
    const reminded = counters.filter(({ user_id }) => user_id <= 600)
    expect(new Set(reminded.map((row) => JSON.stringify({ ...row, id: 0, user_id: 0 })))).toHaveLength(1)
    expect(reminded[0]).toMatchObject({ count: 1, last_date: TODAY })
  })

  test('several processes that race while answers are lost and permits are dead still remind everybody once', async () => {
    await world.has(users(1, 300).permits(6))
    world.wechat.addFault({ kind: 'cut_after', rate: 0.15, match: { path: SEND_PATH } })
    world.wechat.addFault({ kind: 'errcode', errcode: 41028, rate: 0.1, match: { path: SEND_PATH } })
    const processes = Array.from({ length: 3 }, () => world.startProcess())
    const reports = await Promise.all(processes.map((process) => process.remind()))
    expect(reports.map(({ state, reason }) => ({ state, reason }))).toEqual(
      Array(3).fill({ state: 'done', reason: null }),
    )
    // Six bad answers in a row come to one message in a hundred of these races: it is asked about again minutes later.
    world.wechat.clearFaults()
    world.clock.advance(10 * MINUTE_MS)
    await world.startProcess().recover()
    const messages = await world.messages()
    expect(messages).toHaveLength(300)
    // 41028 after a lost answer leaves it open whether that was the delivery: such a message is not sent again.
    const unknown = messages.filter(({ state }) => state === 'unknown')
    expect(unknown.length).toBeLessThan(30)
    expect(messages.filter(({ state }) => state === 'delivered')).toHaveLength(300 - unknown.length)
    expect(new Set(world.reminded()).size).toBe(world.reminded().length)
  })

  test('several processes of which one died after its claim finish its messages, each delivered once', async () => {
    await world.has(users(1, 60).permits(2))
    const claimed = await claimAll(world)
    // Half of them it had already sent.
    const dead = world.startProcess()
    for (const message of claimed.slice(0, 30)) await dead.send(message)
    await dead.kill()
    await world.lapseLeases()
    const processes = [world.startProcess(), world.startProcess()]
    const reports = await Promise.all(processes.map((process) => process.remind()))
    expect(reports.reduce((sum, { delivered }) => sum + delivered, 0)).toBe(60)
    expect(sorted(world.reminded())).toEqual(users(1, 60).ids)
    for (const userId of [1, 60]) expect(await world.counterOf(userId)).toMatchObject({ count: 1 })
  })

  test('wait for a colleague who still has messages in hand, and finish them if it dies', async () => {
    await world.has(users(1, 10).permits(1))
    await claimAll(world)
    let ended = false
    const running = world
      .startProcess()
      .remind()
      .finally(() => {
        ended = true
      })
    await eventually('it has looked', () => world.logged.some((line) => line.includes('remind.started')))
    expect(ended).toBe(false)
    await world.lapseLeases()
    expect(await running).toMatchObject({ state: 'done', delivered: 10 })
  })

  test('stop when one of them halts, and keep nobody’s permit', async () => {
    await world.has(users(1, 400).permits(2))
    const before = await world.books()
    // B is slow; A has the wrong template and says so while B is at work.
    const held: ((result: SendResult) => void)[] = []
    const b = world.startProcess({ concurrency: 2, send: () => new Promise((resolve) => held.push(resolve)) })
    const running = b.remind()
    await eventually('B sends its first message', () => held.length === 1)
    const a = await world.startProcess().remind({ account: { templateId: 'no-such-template' } })
    expect(a).toMatchObject({ state: 'halted', cancelled: 1 })
    // B's message was refused by its reader; B itself saw nothing that would halt it.
    for (const answer of held.splice(0)) answer(REFUSED_BY_USER)
    const report = await running
    expect(report).toMatchObject({ state: 'halted', reason: a.reason, failed: 1, delivered: 0 })
    expect(await world.runs()).toMatchObject([{ state: 'halted', reason: a.reason }])
    const failed = (await world.messages()).flatMap(({ state, user_id }) =>
      state === 'failed' ? [user_id] : [],
    )
    expect(without(await world.books(), failed)).toEqual(without(before, failed))
    expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 399 })
  })

  test('several processes do not stop because one of them has ended the run while users were left', async () => {
    await world.has(users(1, 50).permits(1))
    const held: ((result: SendResult) => void)[] = []
    const real = world.startProcess()
    let first = true
    const slow = world.startProcess({
      send: async (message) => {
        if (first) {
          first = false
          await new Promise<SendResult>((resolve) => held.push(resolve))
        }
        return real.send(message)
      },
    })
    const running = slow.remind()
    await eventually('its first message is under way', () => held.length === 1)
    const [run] = await world.runs()
    await closeRun(world.db, run?.id ?? 0, { state: 'done', reason: null }, world.clock.now())
    for (const goOn of held) goOn(ACCEPTED)
    expect(await running).toMatchObject({ state: 'done', delivered: 50 })
    expect(await world.runs()).toMatchObject([{ state: 'done', delivered: 50 }])
  })

  test('several processes that work at a run with a limit keep to it together, whoever has set it', async () => {
    await world.has(users(1, 200).permits(1))
    const { account, clock } = world
    const { send } = world.startProcess()
    const started = () => world.logged.filter((line) => line.includes('remind.started')).length
    const before = started()
    const first = world.startProcess({
      send: async (message) => {
        await eventually('the others have joined', () => started() === before + 4)
        return send(message)
      },
    })
    const limited = first.remind({ limit: 50 })
    await eventually('the run is open', async () => (await world.messages()).length === 1)
    expect(await findDueRun(world.db, account, clock.now())).toMatchObject({ date: TODAY })
    const joined = [1, 2, 3].map(() => world.startProcess().remind({ triggeredBy: 'cron' }))
    const reports = await Promise.all([limited, ...joined])
    expect(new Set(reports.map(({ state }) => state))).toEqual(new Set(['limited']))
    expect(reports.reduce((sum, { delivered }) => sum + delivered, 0)).toBe(50)
    expect(new Set(world.reminded()).size).toBe(50)
    expect(await world.runs()).toMatchObject([{ state: 'limited', delivered: 50 }])
  })

  test('several processes count for a limit only what is claimed since, beside what a process without one had claimed', async () => {
    await world.has(users(1, 10).permits(1))
    await claimAll(world)
    await world.lapseLeases()
    await world.has(users(11, 30).permits(1))
    expect(await world.startProcess().remind({ limit: 5 })).toMatchObject({ state: 'limited', delivered: 15 })
    expect(await world.startProcess().remind({ limit: 3 })).toMatchObject({ state: 'limited', delivered: 3 })
    expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 12 })
  })

  test('several processes leave a run that has come to its limit to whoever starts it by hand', async () => {
    await world.has(users(1, 30).permits(1))
    const { account, clock } = world
    await world.startProcess().remind({ limit: 5 })
    clock.advance(60_000)
    expect(await findDueRun(world.db, account, clock.now())).toBeUndefined()
    const later = { ...account, remindCron: '0 10,18 * * *' }
    clock.advance(9 * 60 * 60_000)
    expect(await findDueRun(world.db, later, clock.now())).toBeUndefined()
    expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 25 })
  })

  test('several processes do nothing to each other’s accounts', async () => {
    await world.has(users(1, 50).permits(1))
    const other = await createWorld(dialect, { database: world.database, appId: 'wxOther' })
    try {
      await other.has(users(1, 40).permits(2), user(41).permits(1).optedOut())
      const [mine, theirs] = await Promise.all([
        world.startProcess().remind(),
        other.startProcess().remind({ account: { templateId: 'no-such-template' } }),
      ])
      expect(mine).toMatchObject({ state: 'done', delivered: 50 })
      expect(theirs).toMatchObject({ state: 'halted', delivered: 0, due: 40 })
      await other.expectSound()
      await execute(world.db, "DELETE FROM wx_job_run WHERE app_id = 'wxOther'")
    } finally {
      await other.close()
    }
  })
})

const REFUSED_BY_USER: SendResult = {
  kind: 'refused',
  errcode: 40003,
  errmsg: 'no',
  entry: { errcode: 40003, name: 'invalid_openid', class: 'user', meaning: '', meaning_zh: '' },
}
