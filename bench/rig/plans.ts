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
  /** Of all its statements together, the median of five times. */
  ms: number
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
  await run(db)
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
  return { name, ms: Math.round(median * 10) / 10, statements }
}
