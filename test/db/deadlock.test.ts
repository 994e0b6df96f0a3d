import { expect, test } from 'vitest'
import { execute, selectRows } from '../../src/db/sql.js'
import { useDatabase } from '../helpers/database.js'
import { someoneWaits } from '../helpers/stepping-pool.js'

// @module-tag mysql

const database = useDatabase('mysql')

/** Seen to fail without the retry in execute(), with "Deadlock found when trying to get lock". */
test('a statement outside a transaction that the server ends as the victim of a deadlock is sent again', async () => {
  const { db } = database
  await execute(
    db,
    "INSERT INTO wx_user_number (app_id, last_user_id, updated_at) VALUES ('a', 1, 0), ('b', 1, 0), ('c', 1, 0)",
  )
  const rival = await db.transaction()
  // The server ends the one that has changed fewer rows.
  await execute(rival, "UPDATE wx_user_number SET last_user_id = 2 WHERE app_id IN ('b', 'c')")
  const statement = execute(db, "UPDATE wx_user_number SET updated_at = 9 WHERE app_id IN ('a', 'b')")
  await someoneWaits(db)
  await execute(rival, "UPDATE wx_user_number SET last_user_id = 2 WHERE app_id = 'a'")
  await rival.commit()

  expect(await statement).toMatchObject({ affectedRows: 2 })
  expect(await selectRows(db, 'SELECT last_user_id, updated_at FROM wx_user_number ORDER BY app_id')).toEqual(
    [
      { last_user_id: 2, updated_at: 9 },
      { last_user_id: 2, updated_at: 9 },
      { last_user_id: 2, updated_at: 0 },
    ],
  )
})
