import type { MigrationParams } from '../../src/db/migrate.js'

/** Tells the operator how many rows of a table were changed, if any were. */
export function reportRows(params: MigrationParams, table: string, rows: number, what: string): void {
  if (rows > 0) params.onMessage(`${table}: ${rows} ${rows === 1 ? 'row' : 'rows'} ${what}`)
}
