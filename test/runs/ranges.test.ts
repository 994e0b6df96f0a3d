import { describe, expect, test } from 'vitest'
import { execute, selectRows } from '../../src/db/sql.js'
import type { UserId } from '../../src/lib/user-id.js'
import { resetRanges } from '../../src/runs/ranges.js'
import { dialects } from '../helpers/database.js'
import { fillTable } from '../helpers/fill.js'
import { user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

const RUN = 1
const OUTLIER = 9_007_199_254_740_993_123n

describe.each(dialects)('the ranges of a run on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'anything' })

  const reset = () => world.db.transaction((trx) => resetRanges(trx, RUN, world.account.appId))

  const has = (rows: number, userId: string) =>
    fillTable(
      world.db,
      'wx_message_push_status',
      { app_id: `'${world.account.appId}'`, user_id: userId, count: 1, last_date: 0 },
      rows,
    )

  async function usersOfRanges(): Promise<number[]> {
    const rows = await selectRows<{ users: number }>(
      world.db,
      `SELECT COUNT(p.user_id) AS users FROM wx_job_cursor c LEFT JOIN wx_message_push_status p
         ON p.app_id = ? AND p.user_id > c.cur AND p.user_id <= c.hi
       WHERE c.run_id = ? GROUP BY c.range_no ORDER BY c.range_no`,
      [world.account.appId, RUN],
    )
    return rows.map((row) => row.users)
  }

  test.each([
    ['one far away', 2_000, 'i'],
    ['in two clusters', 3_000, 'CASE WHEN i < 2900 THEN i ELSE i + 1000000000000000 END'],
    ['as many as are read one by one', 999, 'i * i'],
  ])('have about as many users each: %s', async (_, rows, userId) => {
    await has(rows, userId)
    await execute(
      world.db,
      'INSERT INTO wx_message_push_status (app_id, user_id, count, last_date) VALUES (?, ?, 1, 0)',
      [world.account.appId, OUTLIER],
    )
    await reset()
    const found = await usersOfRanges()
    expect(found).toHaveLength(8)
    expect(found.reduce((sum, each) => sum + each)).toBe(rows + 1)
    for (const each of found) {
      expect(each).toBeGreaterThanOrEqual(rows / 16)
      expect(each).toBeLessThanOrEqual(rows / 4)
    }
  })

  test.each([0, 1, 3, 7, 8, 9])('the ranges of a run have all of %i users', async (rows) => {
    await has(rows, 'i')
    await reset()
    const found = await usersOfRanges()
    expect(found).toHaveLength(8)
    expect(found.reduce((sum, each) => sum + each)).toBe(rows)
    expect(Math.max(...found)).toBeLessThanOrEqual(rows < 8 ? rows : 2)
  })

  test('the ranges of a run keep their edges when the run goes on, and begin anew', async () => {
    await has(2_000, 'i')
    await reset()
    const ranges = () => world.db('wx_job_cursor').orderBy('range_no')
    const before = await ranges()
    await execute(world.db, 'UPDATE wx_job_cursor SET cur = hi, again = hi')
    await execute(world.db, 'DELETE FROM wx_message_push_status WHERE user_id > 100')
    await reset()
    expect(await ranges()).toEqual(before)
  })

  test('take in who comes before the first user and after the last one', async () => {
    await world.has(users(100, 120).permits(1))
    const process = world.startProcess()
    const { runId } = await process.remind()
    await world.has(user(1).permits(1), user(99_999).permits(1), user(105 + 500).permits(1))
    await execute(world.db, "UPDATE wx_job_run SET state = 'done' WHERE id = ?", [runId])
    expect(await process.remind()).toMatchObject({ runId, delivered: 3 })
    const reminded: UserId[] = world.reminded()
    expect(reminded).toEqual(expect.arrayContaining([1, 605, 99_999]))
    await world.expectSound()
  })
})
