import type { Knex } from 'knex'
import type { MigrationParams } from '../../src/db/migrate.js'
import { execute, selectRows } from '../../src/db/sql.js'

const CHUNK_ROWS = 20_000

/**
 * Runs `work` on one range of `key` after another, `after < key <= upTo`, 20,000 rows each, so that a
 * transaction stays short however large the table is. Rows written meanwhile are included if their key comes
 * after the last range.
 */
export async function forEachRange(
  db: Knex,
  params: MigrationParams,
  table: string,
  key: string,
  work: (after: number, upTo: number) => Promise<void>,
): Promise<void> {
  let after = -1
  for (;;) {
    const [range] = await selectRows<{ last: number | null }>(
      db,
      `SELECT MAX(${key}) AS last FROM (SELECT ${key} FROM ${table} WHERE ${key} > ? ORDER BY ${key} LIMIT ?) AS chunk`,
      [after, params.chunkRows ?? CHUNK_ROWS],
    )
    const last = range?.last
    if (last === null || last === undefined) return
    await work(after, last)
    after = last
  }
}

/** `UPDATE table SET ... WHERE ...`, range by range; returns the number of rows that met the condition. */
export async function updateInChunks(
  db: Knex,
  params: MigrationParams,
  table: string,
  set: string,
  where: string,
  bindings: (string | number)[] = [],
): Promise<number> {
  let rows = 0
  await forEachRange(db, params, table, 'id', async (after, upTo) => {
    const result = await execute(
      db,
      `UPDATE ${table} SET ${set} WHERE id > ? AND id <= ? AND (${where})`,
      // The bindings of SET come first; WHERE has none.
      [...bindings, after, upTo],
    )
    rows += result.affectedRows
  })
  return rows
}
