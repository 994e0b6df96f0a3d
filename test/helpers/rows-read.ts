import knex, { type Knex } from 'knex'
import { knexConfig } from '../../src/db/connect.js'
import { selectRows } from '../../src/db/sql.js'
import type { TestDatabase } from './database.js'

export interface Meter {
  /** All on one connection: the server counts for each. */
  db: Knex
  /** How many rows and index entries the server reads for some work. Seconds depend on the machine; this does not. */
  rowsRead(work: () => Promise<unknown>): Promise<number>
  close(): Promise<void>
}

/** Counts what MySQL reads. SQLite does not tell: there the plans have to do. */
export function openMeter({ url }: Pick<TestDatabase, 'url'>): Meter {
  const config = knexConfig(url)
  const db = knex({ ...config, pool: { ...config.pool, min: 1, max: 1 } })

  async function read(): Promise<number> {
    const counters = await selectRows<{ Value: string }>(db, "SHOW SESSION STATUS LIKE 'Handler_read%'")
    return counters.reduce((sum, { Value }) => sum + Number(Value), 0)
  }

  return {
    db,
    async rowsRead(work) {
      // Looking counts as well.
      const looking = -(await read()) + (await read())
      const before = await read()
      await work()
      return (await read()) - before - looking
    },
    close: () => db.destroy(),
  }
}
