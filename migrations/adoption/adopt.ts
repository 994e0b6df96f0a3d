import type { Knex } from 'knex'
import type { MigrationParams } from '../../src/db/migrate.js'
import { isSqlite, selectRows } from '../../src/db/sql.js'
import { alterTable, columnNames, columnSql, createTable, type Table, tableOptions } from '../lib/tables.js'

/** Columns that distinguish the published table from any other of the same name. */
const PUBLISHED: Record<string, string[]> = {
  wx_save_form_id: ['id', 'open_id', 'user_id', 'form_id', 'expire', 'status'],
  wx_message_push_status: ['id', 'user_id', 'count', 'last_date'],
}

/** Whether the table existed before us, or was kept by a rollback. */
export async function isThere(db: Knex, table: Table): Promise<boolean> {
  if (!(await db.schema.hasTable(table.name))) return false
  const names = new Set(await columnNames(db, table.name))
  const missing = (PUBLISHED[table.name] ?? []).filter((name) => !names.has(name))
  if (missing.length > 0)
    throw new Error(`${table.name} exists but has no ${missing.join(', ')}: rename it or add what is missing`)
  return true
}

/**
 * Creates the table, or gives the existing one our columns, types, engine and comments. Rows, their ids and
 * columns that we do not know stay. Keys come later, when the rows satisfy them.
 */
export async function createOrAdopt(db: Knex, table: Table, params: MigrationParams): Promise<void> {
  if (!(await isThere(db, table))) return createTable(db, table)
  const present = await columnNames(db, table.name)
  const added = table.columns.filter(({ name }) => !present.includes(name)).map(({ name }) => name)
  if (isSqlite(db)) {
    if (added.length > 0) await rebuildSqliteTable(db, table)
  } else {
    await alterMysqlTable(db, table, present)
  }
  if (added.length > 0) {
    const [count] = await selectRows<{ n: number }>(db, `SELECT COUNT(*) AS n FROM ${table.name}`)
    params.onMessage(`${table.name}: adopted with ${count?.n ?? 0} rows, added ${added.join(', ')}`)
  }
}

/**
 * Drops unique keys over published columns only, such as UNIQUE (user_id): a user has one counter in each
 * account, and a prepay_id has three rows. SQLite cannot drop constraints, so there the table is copied
 * without any.
 */
export async function dropOldUniqueKeys(db: Knex, table: Table, params: MigrationParams): Promise<void> {
  if (!(await isThere(db, table))) return
  const present = await columnNames(db, table.name)
  if (isSqlite(db)) {
    if (table.columns.every(({ name }) => present.includes(name))) return
    await db.raw(`CREATE TABLE ${table.name}_copy AS SELECT * FROM ${table.name}`)
    await db.raw(`DROP TABLE ${table.name}`)
    await db.raw(`ALTER TABLE ${table.name}_copy RENAME TO ${table.name}`)
    return
  }
  const keys = await selectRows<{ name: string; parts: string }>(
    db,
    `SELECT index_name AS name, GROUP_CONCAT(LOWER(column_name)) AS parts FROM information_schema.statistics
     WHERE table_schema = DATABASE() AND table_name = ? AND non_unique = 0 AND index_name <> 'PRIMARY'
     GROUP BY index_name`,
    [table.name],
  )
  const published = PUBLISHED[table.name] ?? []
  for (const { name, parts } of keys) {
    // A key over id alone may be the only one that the AUTO_INCREMENT has.
    if (parts === 'id' || !parts.split(',').every((column) => published.includes(column))) continue
    await db.raw('ALTER TABLE ?? DROP INDEX ??', [table.name, name])
    params.onMessage(`${table.name}: unique key ${name} (${parts}) dropped, one with app_id takes its place`)
  }
}

/** Drops the table only if it is empty, so that a rollback loses no row. */
export async function dropIfEmpty(db: Knex, table: Table, params: MigrationParams): Promise<void> {
  if (!(await db.schema.hasTable(table.name))) return
  const rows = await selectRows(db, `SELECT id FROM ${table.name} LIMIT 1`)
  if (rows.length === 0) await db.schema.dropTable(table.name)
  else params.onMessage(`${table.name}: kept, since it has rows`)
}

async function alterMysqlTable(db: Knex, table: Table, present: string[]): Promise<void> {
  const parts = table.columns.map(
    (column) => `${present.includes(column.name) ? 'MODIFY' : 'ADD'} COLUMN ${columnSql(db, column)}`,
  )
  const primaryKey = await selectRows(
    db,
    `SELECT 1 FROM information_schema.statistics
     WHERE table_schema = DATABASE() AND table_name = ? AND index_name = 'PRIMARY'`,
    [table.name],
  )
  if (primaryKey.length === 0) parts.push('ADD PRIMARY KEY (id)')
  await alterTable(db, table, [tableOptions(table), ...parts])
}

async function rebuildSqliteTable(db: Knex, table: Table): Promise<void> {
  const old = `${table.name}_old`
  await db.raw(`ALTER TABLE ${table.name} RENAME TO ${old}`)
  await createTable(db, table)
  const known = new Set(table.columns.map(({ name }) => name))
  const present = await selectRows<{ name: string; type: string }>(db, `PRAGMA table_info(${old})`)
  for (const { name, type } of present)
    if (!known.has(name)) await db.raw(`ALTER TABLE ${table.name} ADD COLUMN ?? ${type}`, [name])
  const names = present.map(({ name }) => `"${name}"`).join(', ')
  await db.raw(`INSERT INTO ${table.name} (${names}) SELECT ${names} FROM ${old}`)
  await db.raw(`DROP TABLE ${old}`)
}
