import { describe, expect, test } from 'vitest'
import { execute } from '../../src/db/sql.js'
import { findRunStatus } from '../../src/reminders/status.js'
import { SEND_PATH, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { fillTable } from '../helpers/fill.js'
import { recordQueries } from '../helpers/rows.js'
import { user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

const TIMES = { created_at: 1, updated_at: 1 }
/** The statement that reads users at the end of a run. */
const READ_AT_THE_END = /SELECT standing, COUNT/

describe.each(dialects)('whom a run passes over is counted on %s', (dialect) => {
  const world = useWorld(dialect)
  const { appId } = world.account

  const skipped = async () => {
    const { as_of: _, ...counts } = (await findRunStatus(world.db, world.account, TODAY, world.clock.now()))
      .skipped
    return counts
  }

  /** Twelve who are due, and some for each cause; several causes count as the first. */
  async function hasAll(): Promise<void> {
    await world.has(
      users(1, 12).permits(2),
      users(21, 24).permits(1).signedInToday(),
      users(31, 33).permits(1).optedOut(),
      user(34).permits(1).optedOut().signedInToday(),
      user(35).permitFor(1_000).optedOut(),
      users(41, 42).permits(1).blocked(),
      user(43).permits(1).blocked().signedInToday(),
      users(51, 55).permitFor(1_000),
      user(56).permitFor(1_000).signedInToday(),
      users(61, 62).signedInToday(),
    )
    await execute(
      world.db,
      'INSERT INTO wx_message_push_status (app_id, user_id, count) VALUES (?, 71, 0), (?, 72, 0)',
      [appId, appId],
    )
  }
  const ALL = { signed_in: 5, no_permit: 4, no_valid_permit: 5, opted_out: 5, blocked: 3 }

  test('by its claims as they come by, so that its end reads nobody', async () => {
    await hasAll()
    const process = world.startProcess()
    const queries = recordQueries(process.db)
    expect(await process.remind()).toMatchObject({ due: 12, delivered: 12, skippedSignedIn: 5 })
    expect(await skipped()).toEqual(ALL)
    expect(queries.filter(({ sql }) => READ_AT_THE_END.test(sql))).toEqual([])
  })

  test('with a user of two open_ids, one of which has opted out, as opted out', async () => {
    await world.has(users(1, 3).permits(1), user(9).permits(1).blocked())
    const second = { app_id: `'${appId}'`, open_id: "'second'", user_id: 9, opted_out_at: 1, ...TIMES }
    await fillTable(world.db, 'wx_user', second, 1)
    await world.startProcess().remind()
    expect(await skipped()).toMatchObject({ opted_out: 1, blocked: 0, no_valid_permit: 0 })
  })

  test('once, however often the run is started', async () => {
    await hasAll()
    const process = world.startProcess()
    for (const limit of [3, 5, undefined]) await process.remind(limit === undefined ? {} : { limit })
    expect(await skipped()).toEqual(ALL)
  })

  test('as they stand when the run of the day is started again', async () => {
    await hasAll()
    const process = world.startProcess()
    await process.remind()
    await execute(world.db, 'UPDATE wx_sign_in SET day = 20200101 WHERE user_id = 56')
    await process.remind()
    expect(await skipped()).toEqual({ ...ALL, signed_in: 4, no_valid_permit: 6 })
  })

  test('and not whom it gave back when it halted: they are still due', async () => {
    await world.has(users(1, 400).permits(1), users(401, 410).permits(1).signedInToday())
    world.wechat.addFault({ kind: 'errcode', errcode: 40037, after: 40, match: { path: SEND_PATH } })
    const { state, delivered, due } = await world.startProcess().remind()
    expect({ state, due }).toEqual({ state: 'halted', due: 400 })
    expect(delivered).toBeLessThan(200)
    expect(await skipped()).toMatchObject({ signed_in: 10, no_valid_permit: 0 })
  })

  test.each([
    ['moved a cursor back', 'UPDATE wx_job_cursor SET cur = cur - 6 WHERE range_no BETWEEN 3 AND 6'],
    ['deleted the ranges', 'DELETE FROM wx_job_cursor'],
    ['emptied a count', 'UPDATE wx_job_cursor SET counted_to = NULL, signed_in = 77'],
  ])('although somebody has %s by hand', async (_, edit) => {
    await hasAll()
    const process = world.startProcess()
    await process.remind()
    await execute(world.db, edit)
    await execute(world.db, "UPDATE wx_job_run SET state = 'running'")
    await process.remind()
    expect(await skipped()).toEqual(ALL)
  })

  test('not twice, if it has a message of the day and its last_date was set back by hand', async () => {
    await hasAll()
    const process = world.startProcess()
    await process.remind()
    await execute(world.db, 'UPDATE wx_message_push_status SET last_date = 0 WHERE user_id IN (3, 4)')
    expect(await process.remind()).toMatchObject({ due: 0, delivered: 0 })
    expect(await skipped()).toEqual(ALL)
    await execute(world.db, 'UPDATE wx_message_push_status SET last_date = ?', [TODAY])
  })

  test('at the end, where a claim meets too many people who never gave a permit', async () => {
    await hasAll()
    const stranger = { app_id: `'${appId}'`, open_id: "'strange'", user_id: '100 + i', ...TIMES }
    const open_id = dialect === 'sqlite' ? "'strange' || i" : "CONCAT('strange', i)"
    await fillTable(world.db, 'wx_user', { ...stranger, open_id }, 50_001)
    const process = world.startProcess()
    const queries = recordQueries(process.db)
    await process.remind()
    expect(await skipped()).toEqual(ALL)
    expect(queries.filter(({ sql }) => READ_AT_THE_END.test(sql))).not.toEqual([])
  })
})
