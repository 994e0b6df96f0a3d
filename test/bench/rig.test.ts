import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { APP_ID } from '../../bench/candidates/account.js'
import { assertAudit, assertCounted, assertReminded, assertSwept } from '../../bench/rig/books.js'
import { type BenchDatabase, createBenchDatabase } from '../../bench/rig/database.js'
import { fillPermits } from '../../bench/rig/fill.js'
import { fillHistory } from '../../bench/rig/history.js'
import { NOTHING } from '../../bench/rig/measure.js'
import { withSlowLog } from '../../bench/rig/slow-log.js'
import { serviceRunOn, today } from '../../bench/suites/runs.js'
import { openDatabase } from '../../src/db/connect.js'
import { execute, selectRows } from '../../src/db/sql.js'
import { DAY_MS } from '../../src/lib/durations.js'

const TAGS = { tags: ['mysql', 'programs'] }
const USERS = 20
const DAYS = 9

let database: BenchDatabase
beforeAll(async () => {
  database = await createBenchDatabase('mysql')
})
afterAll(() => database?.close())
beforeEach(() => database?.empty())

const fill = (permitsEach: number, expireFrom = Date.now() + 3 * DAY_MS) =>
  fillPermits(database.db, { appId: APP_ID, users: USERS, permitsEach, expireFrom }, Date.now())

const run = () => serviceRunOn(database, USERS, { latencyMs: 0, concurrency: 4 })

test('a history passes the audit, and leaves everyone to be reminded today', TAGS, async () => {
  const { db } = database
  await fill(4)
  await run()
  const date = today()
  await fillHistory(db, { appId: APP_ID, users: USERS, days: DAYS, today: date, complete: true }, Date.now())
  await assertAudit(database)
  const days = await selectRows<{ messages: number }>(
    db,
    `SELECT COUNT(*) AS messages FROM wx_push_message WHERE state = 'delivered' AND settled_at > 0
     GROUP BY business_date`,
  )
  expect(days.map(({ messages }) => messages)).toEqual(Array(DAYS).fill(USERS))
  const permits = await selectRows<{ status: number; permits: number }>(
    db,
    'SELECT status, COUNT(*) AS permits FROM wx_save_form_id GROUP BY status ORDER BY status',
  )
  expect(permits.map(({ status }) => status)).toEqual([0, 1, 2])
  expect(permits[1]?.permits).toBe(USERS * DAYS)
  await run()
  await assertReminded(database, USERS, date)
})

test('a run that reminded too few, and books that do not add up, are refused', TAGS, async () => {
  const { db } = database
  await fill(1)
  await expect(assertReminded(database, USERS, today())).rejects.toThrow(`0 of ${USERS} users`)
  await assertCounted(database, USERS)
  await assertAudit(database)
  await expect(assertCounted(database, USERS + 1)).rejects.toThrow('were acknowledged')
  await execute(db, 'UPDATE wx_message_push_status SET count = count + 1 WHERE user_id = 1')
  await expect(assertCounted(database, USERS)).rejects.toThrow(`${USERS + 1} counted`)
  await expect(assertAudit(database)).rejects.toThrow('counter_is_exact')
})

test('a sweep that left a permit, or did not count it, is refused', TAGS, async () => {
  const { db } = database
  await fill(1, Date.now() - DAY_MS)
  await execute(db, 'UPDATE wx_save_form_id SET status = 2 WHERE user_id > 1')
  await execute(db, 'UPDATE wx_message_push_status SET count = 0 WHERE user_id > 1')
  await expect(assertSwept(database, USERS)).rejects.toThrow(`${USERS - 1} of ${USERS} stale permits`)
  await execute(db, 'UPDATE wx_save_form_id SET status = 2')
  await expect(assertSwept(database, USERS)).rejects.toThrow('1 counted')
  await execute(db, 'UPDATE wx_message_push_status SET count = 0')
  await assertSwept(database, USERS)
})

test('statements above 200 ms are counted, and those below are not', TAGS, async () => {
  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const figures = await withSlowLog(database.db, async () => {
    const other = openDatabase(database.url)
    await other.raw('SELECT SLEEP(0.25)')
    await other.raw('SELECT SLEEP(0.02)')
    await other.destroy()
    return NOTHING
  })
  const printed = stderr.mock.calls.join('')
  stderr.mockRestore()
  expect(printed).toContain('SELECT SLEEP(0.25)')
  expect(figures.slow_statements).toBe(1)
  expect(figures.slowest_ms).toBeGreaterThanOrEqual(250)
})
