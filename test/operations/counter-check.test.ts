import { describe, expect, test } from 'vitest'
import { execute } from '../../src/db/sql.js'
import { audit } from '../../src/operations/audit.js'
import { createCounterCheck } from '../../src/operations/counter-check.js'
import { APP_ID, NOW } from '../helpers/constants.js'
import { dialects, useDatabase } from '../helpers/database.js'
import { fillTable } from '../helpers/fill.js'
import { addPermits } from '../helpers/rows.js'

const HUGE = 9_223_372_036_854_775_807n
const going = new AbortController().signal

describe.each(dialects)('the check of counters beside the work on %s', (dialect) => {
  const { db } = useDatabase(dialect)
  const permits = (userId: number, count: number) =>
    Array.from({ length: count }, () => ({ user_id: userId }))
  const set = (userId: number | bigint, count: number) =>
    execute(db, 'UPDATE wx_message_push_status SET count = ? WHERE user_id = ?', [count, userId])

  test('finds nothing in an empty database, and nothing in exact books', async () => {
    const check = createCounterCheck(db, APP_ID)
    expect(check.findings()).toEqual({ wrong: 0, passes: 0 })
    await check.checkNext(going)
    await addPermits(db, [...permits(0, 1), ...permits(1, 3), { user_id: 2, status: 1 }, { user_id: 2 }])
    await check.checkNext(going)
    expect(check.findings()).toEqual({ wrong: 0, passes: 2 })
  })

  test('finds a counter that is too high, one that is too low, one that is missing and one without permits', async () => {
    await addPermits(db, [...permits(1, 2), ...permits(2, 2), ...permits(3, 2), ...permits(4, 2)])
    await set(1, 3)
    await set(2, 1)
    await execute(db, 'DELETE FROM wx_message_push_status WHERE user_id = 3')
    await execute(db, 'DELETE FROM wx_save_form_id WHERE user_id = 4')
    const check = createCounterCheck(db, APP_ID)
    await check.checkNext(going)
    expect(check.findings()).toEqual({ wrong: 4, passes: 1 })
  })

  test('sees at its next look that a counter was recounted', async () => {
    await addPermits(db, permits(1, 2))
    await set(1, 7)
    const check = createCounterCheck(db, APP_ID)
    await check.checkNext(going)
    expect(check.findings().wrong).toBe(1)
    await audit(db, NOW, true)
    await check.checkNext(going)
    expect(check.findings().wrong).toBe(0)
  })

  test('leaves other accounts alone', async () => {
    await addPermits(db, permits(1, 2))
    await set(1, 7)
    const check = createCounterCheck(db, 'wx-another-account')
    await check.checkNext(going)
    expect(check.findings().wrong).toBe(0)
  })

  test('gets to a user beyond 2^53, exactly', async () => {
    for (const userId of [HUGE - 1n, HUGE]) {
      await execute(
        db,
        'INSERT INTO wx_message_push_status (app_id, user_id, count, last_date, created_at, updated_at) VALUES (?, ?, 0, 0, 1, 1)',
        [APP_ID, userId],
      )
    }
    await set(HUGE, 1)
    const check = createCounterCheck(db, APP_ID)
    await check.checkNext(going)
    expect(check.findings()).toEqual({ wrong: 1, passes: 1 })
  })

  test('takes several looks for many users, and misses none of them', async () => {
    const users = 12_345
    const common = { app_id: `'${APP_ID}'`, user_id: 'i', created_at: 1, updated_at: 1 }
    const permit = { open_id: 'i', form_id: 'i', expire: NOW, status: 0, message_id: 0 }
    await fillTable(db, 'wx_save_form_id', { ...common, ...permit }, users)
    const counter = { count: 'CASE WHEN i % 1000 = 999 THEN 2 ELSE 1 END', last_date: 0 }
    await fillTable(db, 'wx_message_push_status', { ...common, ...counter }, users)
    const check = createCounterCheck(db, APP_ID)
    await check.checkNext(going)
    expect(check.findings()).toEqual({ wrong: 10, passes: 0 })
    await check.checkNext(going)
    expect(check.findings()).toEqual({ wrong: 12, passes: 1 })
  })

  test('reads no further once it is told to stop', async () => {
    await addPermits(db, permits(1, 2))
    const check = createCounterCheck(db, APP_ID)
    await check.checkNext(AbortSignal.abort())
    expect(check.findings()).toEqual({ wrong: 0, passes: 0 })
  })
})
