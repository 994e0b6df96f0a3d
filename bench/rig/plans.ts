import type { Knex } from 'knex'
import { selectRows, type Value } from '../../src/db/sql.js'

export interface Work {
  name: string
  run(db: Knex): Promise<unknown>
}

/** One table of a plan, as EXPLAIN shows it. */
export interface PlanRow {
  table: string
  type: string
  key: string | null
  key_len: string | null
  rows: number
}

export interface Planned {
  name: string
  /** Of all its statements together, the median of five times. Depends on the machine and on what else it does. */
  ms: number
  /** Rows and index entries that the server reads for them. Depends on the tables alone. */
  reads: number
  statements: { sql: string; plan: PlanRow[] }[]
}

const TIMES = 5

/** Does some work of the service, and has the server explain each SELECT that it sends. */
export async function planOf(db: Knex, { name, run }: Work): Promise<Planned> {
  const sent: { sql: string; bindings: Value[] }[] = []
  const record = ({ sql, bindings }: { sql: string; bindings?: Value[] }): void => {
    if (/^\s*SELECT/i.test(sql)) sent.push({ sql, bindings: bindings ?? [] })
  }
  db.on('query', record)
  // Looking counts as well.
  const looking = -(await readSoFar(db)) + (await readSoFar(db))
  const before = await readSoFar(db)
  await run(db)
  const reads = (await readSoFar(db)) - before - looking
  db.off('query', record)
  const times: number[] = []
  for (let i = 0; i < TIMES; i++) {
    const began = performance.now()
    await run(db)
    times.push(performance.now() - began)
  }
  const statements: Planned['statements'] = []
  for (const { sql, bindings } of sent) {
    const plan = await selectRows<PlanRow & { table: string | null }>(db, `EXPLAIN ${sql}`, bindings)
    // A row without a table: no row is read, or it is known beforehand that there is none.
    const read = plan.flatMap(({ table, ...row }) => (table === null ? [] : [{ table, ...row }]))
    statements.push({ sql: sql.replace(/\s+/g, ' ').trim(), plan: read })
  }
  const median = times.sort((a, b) => a - b)[Math.floor(TIMES / 2)] ?? 0
  return { name, ms: Math.round(median * 10) / 10, reads, statements }
}

async function readSoFar(db: Knex): Promise<number> {
  const counters = await selectRows<{ Value: string }>(db, "SHOW GLOBAL STATUS LIKE 'Handler_read%'")
  return counters.reduce((sum, { Value }) => sum + Number(Value), 0)
}
