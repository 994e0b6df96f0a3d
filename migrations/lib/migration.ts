import type { Knex } from 'knex'

/** What a migration is told beside its database. Knex hands `userParams` on to every transaction of its own. */
export interface MigrationParams {
  /** Gets one line for each kind of thing that was changed in rows that were there before. */
  onMessage: (message: string) => void
  /** The account that rows without one belong to, or '' when it is not known. */
  appId: string
}

export function paramsOf(db: Knex): MigrationParams {
  const { onMessage, appId } = db.userParams as Partial<MigrationParams>
  return { onMessage: onMessage ?? (() => {}), appId: appId ?? '' }
}

/** Tells the operator how many rows of a table were changed, if any were. */
export function reportRows(db: Knex, table: string, rows: number, what: string): void {
  if (rows > 0) paramsOf(db).onMessage(`${table}: ${rows} ${rows === 1 ? 'row' : 'rows'} ${what}`)
}
