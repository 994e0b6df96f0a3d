import type { Knex } from 'knex'
import { isSqlite } from '../../src/db/sql.js'

/**
 * How many rows to fill in so that MySQL reads by an index and not in full: SQLite, whose tables nobody analyzes, plans
 * for a few as for many, and indexes a hundred thousand in a second.
 */
export function rowsFor(db: Knex, { mysql, sqlite }: { mysql: number; sqlite: number }): number {
  return isSqlite(db) ? sqlite : mysql
}

/** Inserts up to 100,000 rows in one statement. The columns are SQL over `i`, which counts from 0. */
export async function fillTable(
  db: Knex,
  table: string,
  columns: Record<string, string | number>,
  count: number,
): Promise<void> {
  const digits = Array.from({ length: 10 }, (_, x) => `SELECT ${x} AS x`).join(' UNION ALL ')
  const values = Object.entries(columns).map(([name, value]) => `${value} AS ${name}`)
  await db.raw(
    `INSERT INTO ${table} (${Object.keys(columns).join(', ')}) WITH d AS (${digits}),
       n AS (SELECT a.x + 10 * b.x + 100 * c.x + 1000 * e.x + 10000 * f.x AS i FROM d a, d b, d c, d e, d f)
     SELECT * FROM (SELECT ${values.join(', ')} FROM n WHERE i < ${count}) AS filled`,
  )
}

/** Has MySQL look at the tables again; SQLite plans without. */
export async function analyze(db: Knex, ...tables: string[]): Promise<void> {
  if (!isSqlite(db)) await db.raw(`ANALYZE TABLE ${tables.join(', ')}`)
}
