import type { Knex } from 'knex'
import { selectRows } from '../../src/db/sql.js'
import type { Figures } from './measure.js'

/** No statement of a daily run may take longer, however much the tables hold. */
export const SLOW_MS = 200

/** The server's log of slow statements, in its own table. Connections that are open already log nothing. */
async function startSlowLog(db: Knex): Promise<void> {
  await db.raw("SET GLOBAL log_output = 'TABLE'")
  await db.raw('SET GLOBAL slow_query_log = OFF')
  await db.raw('TRUNCATE TABLE mysql.slow_log')
  await db.raw(`SET GLOBAL long_query_time = ${SLOW_MS / 1_000}`)
  await db.raw('SET GLOBAL slow_query_log = ON')
}

export interface SlowStatement {
  ms: number
  /** Of which it waited for a lock. */
  locked_ms: number
  rows_examined: number
  sql: string
}

async function stopSlowLog(db: Knex): Promise<SlowStatement[]> {
  await db.raw('SET GLOBAL slow_query_log = OFF')
  return selectRows<SlowStatement>(
    db,
    `SELECT CAST(${milliseconds('query_time')} AS SIGNED) AS ms, CAST(${milliseconds('lock_time')} AS SIGNED) AS locked_ms,
       rows_examined, LEFT(CONVERT(sql_text USING utf8mb4), 300) AS \`sql\`
     FROM mysql.slow_log WHERE db = DATABASE() ORDER BY query_time DESC`,
  )
}

/** TIME_TO_SEC has a fraction on MariaDB, and none on MySQL. */
const milliseconds = (time: string): string =>
  `FLOOR(TIME_TO_SEC(${time})) * 1000 + MICROSECOND(${time}) / 1000`

/** Measures with the log on. What was slow goes to stderr: the figures only count it. */
export async function withSlowLog(db: Knex, measure: () => Promise<Figures>): Promise<Figures> {
  await startSlowLog(db)
  const figures = await measure()
  const slow = await stopSlowLog(db)
  for (const { ms, locked_ms, rows_examined, sql } of slow.slice(0, 5))
    process.stderr.write(
      `  ${ms} ms (${locked_ms} waiting, ${rows_examined} rows): ${sql.replace(/\s+/g, ' ').slice(0, 200)}\n`,
    )
  return { ...figures, slow_statements: slow.length, slowest_ms: slow[0]?.ms ?? 0 }
}
