import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { isDuplicate, isLockWait } from '../../src/db/errors.js'
import { selectRows } from '../../src/db/sql.js'
import { commitTogether, type Statement } from '../../src/db/together.js'
import { NOW } from '../helpers/constants.js'
import { dialects, useDatabase } from '../helpers/database.js'
import { openPool, recordQueries } from '../helpers/rows.js'

const person = (openId: string): Statement => ({
  sql: 'INSERT INTO wx_user (app_id, open_id, user_id, created_at, updated_at) VALUES (?, ?, 1, ?, ?)',
  bindings: ['wxA', openId, NOW, NOW],
})

describe.each(dialects)('statements that are committed together on %s', (dialect) => {
  const database = useDatabase(dialect)
  const { db } = database
  const other = openPool(database)
  afterAll(() => other.destroy())

  const openIds = async (): Promise<string[]> =>
    (await selectRows<{ open_id: string }>(db, 'SELECT open_id FROM wx_user ORDER BY open_id')).map(
      ({ open_id }) => open_id,
    )

  test('are all done, with every value as it was given', async () => {
    await commitTogether(db, [person("o'1; COMMIT; --"), person('o\\2'), person('?')])
    expect(await openIds()).toEqual(['?', "o'1; COMMIT; --", 'o\\2'])
  })

  test('are none of them done when one fails, and leave no transaction open', async () => {
    await commitTogether(db, [person('o1')])
    const failed = commitTogether(db, [person('o2'), person('o1'), person('o3')])
    await expect(failed).rejects.toSatisfy(isDuplicate)
    expect(await openIds()).toEqual(['o1'])
    await other('wx_user').insert({ app_id: 'wxA', open_id: 'o2', created_at: NOW, updated_at: NOW })
    await commitTogether(db, [person('o3')])
    expect(await openIds()).toEqual(['o1', 'o2', 'o3'])
  })

  test('are nothing to ask a database for when there are none', async () => {
    const queries = recordQueries(db)
    await commitTogether(db, [])
    expect(queries).toEqual([])
  })

  test.runIf(dialect === 'mysql')(
    'end with the lock wait that one of them met, and hold nothing',
    async () => {
      const holder = await other.transaction()
      onTestFinished(async () => {
        if (!holder.isCompleted()) await holder.rollback()
      })
      await holder('wx_user').insert({ app_id: 'wxA', open_id: 'o2', created_at: NOW, updated_at: NOW })
      await expect(commitTogether(db, [person('o1'), person('o2')])).rejects.toSatisfy(isLockWait)
      await holder('wx_user').insert({ app_id: 'wxA', open_id: 'o1', created_at: NOW, updated_at: NOW })
      await holder.commit()
      expect(await openIds()).toEqual(['o1', 'o2'])
    },
  )

  test.runIf(dialect === 'mysql')('are one question on MariaDB', async () => {
    const [row] = await selectRows<{ version: string }>(db, 'SELECT VERSION() AS version')
    await commitTogether(db, [person('o1')])
    const queries = recordQueries(db)
    await commitTogether(db, [person('o2'), person('o3')])
    expect(queries).toHaveLength(row?.version.includes('MariaDB') ? 1 : 4)
  })
})
