import type { Knex } from 'knex'

/** What a migration is told beside its database. */
export interface MigrationParams {
  /** Gets one line for each kind of thing that was changed in rows that were there before. */
  onMessage: (message: string) => void
  /** The account that rows without one belong to, or '' when it is not known. */
  appId: string
  /** Rows that one statement changes, and so one transaction on MySQL. */
  chunkRows?: number
}

export interface Migration {
  up(db: Knex, params: MigrationParams): PromiseLike<void>
  down(db: Knex, params: MigrationParams): PromiseLike<void>
}

/** Tells the operator how many rows of a table were changed, if any were. */
export function reportRows(params: MigrationParams, table: string, rows: number, what: string): void {
  if (rows > 0) params.onMessage(`${table}: ${rows} ${rows === 1 ? 'row' : 'rows'} ${what}`)
}
