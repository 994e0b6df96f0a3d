import type { Knex } from 'knex'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { migrations } from '../../migrations/index.js'
import {
  createEmptyDatabase,
  createTestDatabase,
  dialects,
  migrate,
  type TestDatabase,
} from '../helpers/database.js'
import { type PermitRow, permitRow as rowOf } from '../helpers/rows.js'
import { createOldTables, insertOldRows } from './old-tables.js'

const bindOpenIds = migrations['20261121001400_bind_open_ids_of_permits']

describe.each(dialects)('open_ids that have permits, on %s,', (dialect) => {
  let database: TestDatabase
  let db: Knex
  beforeEach(async () => {
    database = await createTestDatabase(dialect)
    db = database.db
  })
  afterEach(() => database.close())

  const bindings = async () =>
    Object.fromEntries(
      (await db('wx_user').orderBy('open_id')).map(({ app_id, open_id, user_id }) => [
        `${app_id} ${open_id}`,
        user_id,
      ]),
    )
  const permitRow = (row: PermitRow) => rowOf({ app_id: 'wxA', ...row })
  const up = (chunkRows: number) => bindOpenIds?.up(db, { onMessage: () => {}, appId: '', chunkRows })

  test.each([1, 2, 1_000])('are bound to their one user, %i rows at a time', async (chunkRows) => {
    await db('wx_save_form_id').insert([
      permitRow({ open_id: 'oA', user_id: 1 }),
      permitRow({ open_id: 'oA', user_id: 1, status: 2 }),
      permitRow({ open_id: 'oB', user_id: 2, status: 1 }),
      permitRow({ open_id: 'oB2', user_id: 2 }),
      permitRow({ open_id: 'oBoth', user_id: 1 }),
      permitRow({ open_id: 'oBoth', user_id: 2 }),
      permitRow({ open_id: 'oBoth', user_id: 1 }),
      permitRow({ open_id: '', user_id: 3, status: 2 }),
      permitRow({ open_id: 'oNobody', user_id: 0, status: 2 }),
      permitRow({ open_id: 'oUnassigned', user_id: 4, app_id: '' }),
      permitRow({ open_id: 'oA', user_id: 7, app_id: 'wxB' }),
    ])
    for (let run = 0; run < 2; run++) {
      await up(chunkRows)
      expect(await bindings()).toEqual({ 'wxA oA': 1, 'wxA oB': 2, 'wxA oB2': 2, 'wxB oA': 7 })
    }
  })

  test('leave persons that we know as they are', async () => {
    const known = [
      { app_id: 'wxA', open_id: 'oStopped', user_id: 8, blocked_at: 5, created_at: 1, updated_at: 1 },
      { app_id: 'wxA', open_id: 'oLoggedIn', user_id: null, union_id: 'u', created_at: 1, updated_at: 1 },
    ]
    for (const person of known) await db('wx_user').insert(person)
    await db('wx_save_form_id').insert(
      ['oStopped', 'oLoggedIn'].map((open_id) => permitRow({ open_id, user_id: 9 })),
    )
    const before = await db('wx_user').orderBy('open_id')
    await up(1_000)
    expect(await db('wx_user').orderBy('open_id')).toEqual(before)
  })
})

test.each(dialects)('whoever had permits in adopted tables is that user, on %s', async (dialect) => {
  const database = await createEmptyDatabase(dialect)
  try {
    await createOldTables(database.db)
    const permit = { open_id: 'oA', user_id: 17, form_id: 'F', expire: 1_560_000_000_000, status: 0 }
    await insertOldRows(database.db, [{ id: 1, ...permit }], [])
    await migrate(database.db, { appId: 'wxA' })
    expect(await database.db('wx_user')).toMatchObject([{ app_id: 'wxA', open_id: 'oA', user_id: 17 }])
  } finally {
    await database.close()
  }
})
