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
  const indexes = [
    ...Object.entries(table.uniques ?? {}).map(([name, columns]) => ({ name, columns, unique: 'UNIQUE ' })),
    ...Object.entries(table.indexes ?? {}).map(([name, columns]) => ({ name, columns, unique: '' })),
  ]
  if (isSqlite(db)) {
    for (const { name, columns, unique } of indexes)
      await db.raw(`CREATE ${unique}INDEX IF NOT EXISTS ${name} ON ${table.name} (${columns.join(', ')})`)
    return
  }
  const present = await keyNames(db, table.name)
  const parts = [
    ...indexes
      .filter(({ name }) => !present.has(name))
      .map(({ name, columns, unique }) => `ADD ${unique}INDEX ${name} (${columns.join(', ')})`),
    ...Object.entries(table.checks ?? {})
      .filter(([name]) => !present.has(name))
      .map(([name, condition]) => `ADD ${checkSql(name, condition)}`),
  ]
  if (parts.length > 0) await db.raw(`ALTER TABLE ${table.name} ${parts.join(', ')}`)
}

/** Undoes addKeys, except for SQLite's CHECKs, which cannot be dropped. */
export async function dropKeys(db: Knex, table: Table): Promise<void> {
  const indexes = [...Object.keys(table.uniques ?? {}), ...Object.keys(table.indexes ?? {})]
  if (isSqlite(db)) {
    for (const name of indexes) await db.raw(`DROP INDEX IF EXISTS ${name}`)
    return
  }
  const present = await keyNames(db, table.name)
  const parts = [
    ...indexes.filter((name) => present.has(name)).map((name) => `DROP INDEX ${name}`),
    ...Object.keys(table.checks ?? {})
      .filter((name) => present.has(name))
      .map((name) => `DROP CONSTRAINT ${name}`),
  ]
  if (parts.length > 0) await db.raw(`ALTER TABLE ${table.name} ${parts.join(', ')}`)
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

const nullSql = (column: Column) => (column.nullable ? ' NULL' : ' NOT NULL')
const quote = (text: string) => `'${text.replaceAll("'", "''")}'`
const checkSql = (name: string, condition: string) => `CONSTRAINT ${name} CHECK (${condition})`

function defaultSql(column: Column): string {
  if (column.default === undefined) return ''
  return ` DEFAULT ${typeof column.default === 'number' ? column.default : quote(column.default)}`
}
