import { describe, expect, test } from 'vitest'
import { databaseNow, execute, selectRows } from '../../src/db/sql.js'
import { findRunStatus } from '../../src/reminders/status.js'
import type { FaultSpec } from '../../src/sandbox/faults.js'
import { FORM_ID_LIST_PATH } from '../../src/sandbox/template-endpoints.js'
import { TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { timed } from '../helpers/stopwatch.js'
import { users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)('before a run on %s', (dialect) => {
  const world = useWorld(dialect)

  /** How often WeChat was asked for the list, whatever it answered. */
  const lists = (): number =>
    Object.values(world.wechat.stats().answers[FORM_ID_LIST_PATH] ?? {}).reduce((sum, n) => sum + n, 0)
  const start = (timeoutMs?: number) =>
    world.startProcess({ looksFirst: true, ...(timeoutMs === undefined ? {} : { timeoutMs }) })
  const OTHER_ID = { templateId: 'a-template-of-another-account' }

  test('a template of another account halts it before anything is claimed or sent, and the reason names the fix', async () => {
    await world.has(users(1, 20).permits(1))
    const before = await world.books()
    const report = await start().remind({ account: OTHER_ID })
    expect(report).toMatchObject({ state: 'halted', delivered: 0, cancelled: 0, due: 20 })
    expect(report.reason).toMatch(/has no template a-template-of-another-account.*REMINDER_TEMPLATE_ID/)
    expect(report.reasonZh).toMatch(/没有模板 a-template-of-another-account.*REMINDER_TEMPLATE_ID/)
    expect(world.sends()).toBe(0)
    expect(await world.messages()).toEqual([])
    expect(await world.books()).toEqual(before)
    const status = await findRunStatus(world.db, world.account, TODAY, world.clock.now())
    expect(status.remedy).toMatch(/run remind/)
    expect(status.remedy_zh).toMatch(/remind/)
  })

  test('once the mistake is mended, the same run of the day goes on', async () => {
    await world.has(users(1, 20).permits(1))
    const halted = await start().remind({ account: OTHER_ID })
    const mended = await start().remind()
    expect(mended).toMatchObject({ state: 'done', delivered: 20, runId: halted.runId })
    await world.expectSound()
  })

  test('keys that the template lacks, and keys that the texts lack, are named', async () => {
    const data = { keyword1: 'a', keyword4: 'b', keyword7: 'c' }
    const report = await start().remind({ account: { data } })
    expect(report.state).toBe('halted')
    expect(report.reason).toMatch(/lacks keyword2\. The template has no keyword7\./)
    expect(report.reasonZh).toMatch(/缺少 keyword2。模板没有 keyword7。/)
  })

  test('ten processes ask for the list once', async () => {
    await world.has(users(1, 50).permits(1))
    await Promise.all(Array.from({ length: 10 }, () => start().remind()))
    expect(lists()).toBe(1)
    expect(world.reminded()).toHaveLength(50)
  })

  test('of ten processes with a wrong template none sends anything', async () => {
    await world.has(users(1, 50).permits(1))
    const reports = await Promise.all(Array.from({ length: 10 }, () => start().remind({ account: OTHER_ID })))
    expect(reports.map(({ state }) => state)).toEqual(Array(10).fill('halted'))
    expect(world.sends()).toBe(0)
  })

  test('a run that is reopened or joined does not ask again', async () => {
    await world.has(users(1, 20).permits(1))
    await start().remind({ limit: 5 })
    await start().remind()
    expect(lists()).toBe(1)
    expect(world.reminded()).toHaveLength(20)
  })

  test('a template that was added since is found: a miss is looked at with a list of now', async () => {
    await world.has(users(1, 3).permits(1))
    await start().remind({ limit: 1 })
    await execute(world.db, "UPDATE wx_platform_answer SET answer = '[]' WHERE subject = 'templates:form_id'")
    const report = await start().remind()
    expect(report).toMatchObject({ state: 'done', delivered: 2 })
    expect(lists()).toBe(2)
  })

  const FAULTS: FaultSpec[] = [
    { kind: 'errcode', errcode: 45009 },
    { kind: 'errcode', errcode: 48001 },
    { kind: 'errcode', errcode: 40125 },
    { kind: 'errcode', errcode: -1 },
    { kind: 'errcode', errcode: 12345 },
    { kind: 'http_status', status: 404 },
    { kind: 'http_status', status: 502 },
    { kind: 'cut_before' },
    { kind: 'garbage' },
    { kind: 'truncated' },
    { kind: 'huge_body' },
    { kind: 'redirect' },
    { kind: 'hang' },
    { kind: 'stall' },
  ]

  test.each(FAULTS)('it sends to everybody although each list meets %o', async (fault) => {
    await world.has(users(1, 10).permits(1))
    world.wechat.addFault({ ...fault, match: { path: FORM_ID_LIST_PATH } })
    const { result, ms } = await timed(() => start(300).remind())
    expect(result).toMatchObject({ state: 'done', delivered: 10 })
    expect(ms).toBeLessThan(5_000)
    expect(world.logged.join('')).toContain('preflight.not_had')
  })

  test('no list and a kept one with a miss: the run goes on, because the kept one may be too old', async () => {
    await world.has(users(1, 3).permits(1))
    await start().remind({ limit: 1 })
    await execute(world.db, "UPDATE wx_platform_answer SET answer = '[]' WHERE subject = 'templates:form_id'")
    world.wechat.addFault({ kind: 'errcode', errcode: 45009, match: { path: FORM_ID_LIST_PATH } })
    expect(await start().remind()).toMatchObject({ state: 'done', delivered: 2 })
  })

  test('a process that froze while it asked holds nobody up for long', async () => {
    await world.has(users(1, 3).permits(1))
    await execute(
      world.db,
      `INSERT INTO wx_platform_answer (app_id, subject, owner, lease_until)
       VALUES (?, 'templates:form_id', 'frozen', ${databaseNow(world.db)} + 3600000)`,
      [world.account.appId],
    )
    const { result, ms } = await timed(() => start(300).remind())
    expect(result).toMatchObject({ state: 'done', delivered: 3 })
    expect(ms).toBeLessThan(8_000)
    expect(lists()).toBe(0)
  })

  test('what somebody has written into the kept list is no list', async () => {
    await start().remind()
    for (const answer of ['not JSON', '{"a":1}', '[{"id":1}]']) {
      await execute(world.db, 'UPDATE wx_platform_answer SET answer = ?', [answer])
      expect((await start().remind()).state).toBe('done')
    }
    expect(await selectRows(world.db, 'SELECT 1 FROM wx_platform_answer')).toHaveLength(2)
  })

  test('a database that cannot keep the list keeps nobody from being reminded', async () => {
    await world.has(users(1, 3).permits(1))
    await execute(world.db, 'ALTER TABLE wx_platform_answer RENAME TO wx_platform_answer_away')
    try {
      expect(await start().remind()).toMatchObject({ state: 'done', delivered: 3 })
    } finally {
      await execute(world.db, 'ALTER TABLE wx_platform_answer_away RENAME TO wx_platform_answer')
    }
  })

  test('a reminder that opens nothing is warned of, and goes out', async () => {
    await world.has(users(1, 3).permits(1))
    expect(await start().remind({ account: { page: '' } })).toMatchObject({ state: 'done', delivered: 3 })
    expect(world.logged.join('')).toContain('preflight.warned')
  })
})
