import type { Knex } from 'knex'
import type { Migration } from '../../src/db/migrate.js'
import { isSqlite, selectRows } from '../../src/db/sql.js'

export interface Column {
  name: string
  /** As MySQL writes it, or `identity` for the auto-numbered primary key. */
  type: string
  /**
   * WeChat's ids are ASCII and case-sensitive: they are compared byte by byte, and an index entry is a third
   * of utf8mb4's.
   */
  ascii?: true
  nullable?: true
  default?: string | number
  /** For DBAs: Chinese, then English. */
  comment: string
}

export interface Table {
  name: string
  comment: string
  columns: Column[]
  primaryKey?: string[]
  /**
   * The key in whose order MySQL stores the rows, so that what is read together lies together: the primary key, once
   * the rows satisfy it, while the identity gets a UNIQUE key. SQLite stores rows by their identity; there it is a
   * unique index with this name, or nothing.
   */
  clustered?: { columns: string[]; onSqlite?: string }
  uniques?: Record<string, string[]>
  indexes?: Record<string, string[]>
  /** Conditions by name. */
  checks?: Record<string, string>
}

/** `a IN ('x','y')`, for a CHECK. */
export function oneOf(column: string, values: (string | number)[]): string {
  return `${column} IN (${values.map((value) => (typeof value === 'number' ? value : quote(value))).join(',')})`
}

/** Creates the table unless it exists. SQLite gets its CHECKs here, because it cannot add them later. */
export async function createTable(db: Knex, table: Table): Promise<void> {
  const sqlite = isSqlite(db)
  const parts = table.columns.map((column) => columnSql(db, column))
  const identity = table.columns.find(({ type }) => type === 'identity')
  if (table.primaryKey) parts.push(`PRIMARY KEY (${table.primaryKey.join(', ')})`)
  else if (identity && !sqlite) parts.push(`PRIMARY KEY (${identity.name})`)
  if (sqlite)
    for (const [name, condition] of Object.entries(table.checks ?? {})) parts.push(checkSql(name, condition))
  const options = sqlite ? '' : ` ${tableOptions(table)}`
  await db.raw(`CREATE TABLE IF NOT EXISTS ${table.name} (\n  ${parts.join(',\n  ')}\n)${options}`)
}

/** Adds the missing keys, indexes and CHECKs. On MySQL in one ALTER: all of them or none. */
export async function addKeys(db: Knex, table: Table): Promise<void> {
  const keys = keysOf(db, table)
  if (isSqlite(db)) {
    for (const { name, columns, unique } of keys)
      await db.raw(`CREATE ${unique}INDEX IF NOT EXISTS ${name} ON ${table.name} (${columns.join(', ')})`)
    return
  }
  const present = await keyNames(db, table.name)
  const parts = [
    ...((await lacksClusteredKey(db, table)) ? newPrimaryKey(present, table.clustered?.columns ?? []) : []),
    ...keys
      .filter(({ name }) => !present.has(name))
      .map(({ name, columns, unique }) => `ADD ${unique}INDEX ${name} (${columns.join(', ')})`),
    ...Object.entries(table.checks ?? {})
      .filter(([name]) => !present.has(name))
      .map(([name, condition]) => `ADD ${checkSql(name, condition)}`),
  ]
  await alterTable(db, table, parts)
}

/** Undoes addKeys, except for SQLite's CHECKs, which cannot be dropped. */
export async function dropKeys(db: Knex, table: Table): Promise<void> {
  const names = keysOf(db, table).map(({ name }) => name)
  if (isSqlite(db)) {
    for (const name of names) await db.raw(`DROP INDEX IF EXISTS ${name}`)
    return
  }
  const present = await keyNames(db, table.name)
  const isClustered = table.clustered !== undefined && !(await lacksClusteredKey(db, table))
  const parts = [
    ...(isClustered ? newPrimaryKey(present, [IDENTITY]) : []),
    ...names.filter((name) => present.has(name)).map((name) => `DROP INDEX ${name}`),
    ...Object.keys(table.checks ?? {})
      .filter((name) => present.has(name))
      .map((name) => `DROP CONSTRAINT ${name}`),
  ]
  await alterTable(db, table, parts)
}

/** The keys that addKeys would add, by name; a primary key by its columns. */
export async function missingKeys(db: Knex, table: Table): Promise<string[]> {
  const present = await keyNames(db, table.name)
  const missing = keysOf(db, table)
    .map(({ name }) => name)
    .filter((name) => !present.has(name))
  if (isSqlite(db) || !(await lacksClusteredKey(db, table))) return missing
  return [`PRIMARY KEY (${table.clustered?.columns.join(', ')})`, ...missing]
}

/** One ALTER, so that a crash leaves the old table or the new one. For MySQL. */
export async function alterTable(db: Knex, table: Table, parts: string[]): Promise<void> {
  if (parts.length === 0) return
  // The transaction only keeps everything on one connection: the ALTER commits by itself.
  await db.transaction(async (trx) => {
    const [session] = await selectRows<{ mode: string }>(trx, 'SELECT @@SESSION.sql_mode AS mode')
    // Otherwise a row with id 0 would get a new id when the table is rebuilt.
    await trx.raw("SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')")
    try {
      await trx.raw(`ALTER TABLE ${table.name} ${parts.join(', ')}`)
    } finally {
      await trx.raw('SET SESSION sql_mode = ?', [session?.mode ?? ''])
    }
  })
}

/** A migration that creates a table of ours and drops it again with all its rows. */
export function tableMigration(table: Table): Migration {
  return {
    up: async (db) => {
      await createTable(db, table)
      await addKeys(db, table)
    },
    down: (db) => db.schema.dropTableIfExists(table.name),
  }
}

/** A column as written in CREATE TABLE and in ALTER TABLE ... ADD or MODIFY. */
export function columnSql(db: Knex, column: Column): string {
  if (isSqlite(db)) {
    if (column.type === 'identity') return `${column.name} integer PRIMARY KEY AUTOINCREMENT`
    const type = /char|text|enum/.test(column.type) ? 'text' : 'integer'
    return `${column.name} ${type}${nullSql(column)}${defaultSql(column)}`
  }
  const comment = ` COMMENT ${quote(column.comment)}`
  if (column.type === 'identity') return `${column.name} bigint unsigned NOT NULL AUTO_INCREMENT${comment}`
  const characters = column.ascii ? ' CHARACTER SET ascii COLLATE ascii_bin' : ''
  return `${column.name} ${column.type}${characters}${nullSql(column)}${defaultSql(column)}${comment}`
}

/** ROW_FORMAT is explicit because an adopted MyISAM table may have one that InnoDB refuses. */
export function tableOptions(table: Table): string {
  return `ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COMMENT=${quote(table.comment)}`
}

export async function columnNames(db: Knex, table: string): Promise<string[]> {
  const rows = await selectRows<{ name: string }>(
    db,
    isSqlite(db)
      ? `SELECT name FROM pragma_table_info('${table}')`
      : `SELECT LOWER(column_name) AS name FROM information_schema.columns
         WHERE table_schema = DATABASE() AND table_name = '${table}'`,
  )
  return rows.map(({ name }) => name)
}

/** Names of the keys and indexes of a table; on MySQL of its CHECKs too. */
export async function keyNames(db: Knex, table: string): Promise<Set<string>> {
  const rows = await selectRows<{ name: string }>(
    db,
    isSqlite(db)
      ? 'SELECT name FROM pragma_index_list(?)'
      : `SELECT index_name AS name FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = ?
     UNION SELECT constraint_name FROM information_schema.table_constraints
       WHERE table_schema = DATABASE() AND table_name = ?`,
    isSqlite(db) ? [table] : [table, table],
  )
  return new Set(rows.map(({ name }) => name))
}

/** The column with the auto-numbered id. */
const IDENTITY = 'id'

interface Key {
  name: string
  columns: string[]
  unique: 'UNIQUE ' | ''
}

/** The keys beside the primary key. */
function keysOf(db: Knex, { name: table, clustered, uniques = {}, indexes = {} }: Table): Key[] {
  const keys: Key[] = [
    ...Object.entries(uniques).map(([name, columns]): Key => ({ name, columns, unique: 'UNIQUE ' })),
    ...Object.entries(indexes).map(([name, columns]): Key => ({ name, columns, unique: '' })),
  ]
  if (!clustered) return keys
  if (!isSqlite(db)) return [{ name: `${table}_id_uq`, columns: [IDENTITY], unique: 'UNIQUE ' }, ...keys]
  const { onSqlite, columns } = clustered
  return onSqlite === undefined ? keys : [{ name: onSqlite, columns, unique: 'UNIQUE ' }, ...keys]
}

/** Whether MySQL still stores the rows of a clustered table in another order. */
async function lacksClusteredKey(db: Knex, { name, clustered }: Table): Promise<boolean> {
  if (!clustered) return false
  const columns = await selectRows<{ name: string }>(
    db,
    `SELECT LOWER(column_name) AS name FROM information_schema.statistics
     WHERE table_schema = DATABASE() AND table_name = ? AND index_name = 'PRIMARY' ORDER BY seq_in_index`,
    [name],
  )
  return columns.map((column) => column.name).join() !== clustered.columns.join()
}

function newPrimaryKey(present: Set<string>, columns: string[]): string[] {
  const added = `ADD PRIMARY KEY (${columns.join(', ')})`
  return present.has('PRIMARY') ? ['DROP PRIMARY KEY', added] : [added]
}

const nullSql = (column: Column) => (column.nullable ? ' NULL' : ' NOT NULL')
const quote = (text: string) => `'${text.replaceAll("'", "''")}'`
const checkSql = (name: string, condition: string) => `CONSTRAINT ${name} CHECK (${condition})`

function defaultSql(column: Column): string {
  if (column.default === undefined) return ''
  return ` DEFAULT ${typeof column.default === 'number' ? column.default : quote(column.default)}`
}
