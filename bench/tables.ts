import { Command } from 'commander'
import { VALIDITY_MARGIN_MS } from '../src/books/index.js'
import { selectRows } from '../src/db/sql.js'
import { DAY_MS } from '../src/lib/durations.js'
import { findBalance } from '../src/permits/find-balance.js'
import { findPlace, findStale } from '../src/permits/store.js'
import { boundRange, dayOf, findDue } from '../src/reminders/due-store.js'
import { findUserDetail } from '../src/user-data/detail.js'
import { APP_ID, benchAccount } from './candidates/account.js'
import { assertReminded } from './rig/books.js'
import { createBenchDatabase } from './rig/database.js'
import { analyze, fillPermits } from './rig/fill.js'
import { fillHistory } from './rig/history.js'
import { type Planned, planOf, type Work } from './rig/plans.js'
import { type TableSize, tableSizes } from './rig/sizes.js'
import { GROWTH_SERVER } from './suites/growth.js'
import { serviceRunOn, today } from './suites/runs.js'

/**
 * What a DBA asks of the tables: how large they become, and how the statements of the service find their rows. Fills a
 * MariaDB of its own with users, their permits and days of history as the service writes them.
 */
const program = new Command('bench:tables')
  .description('sizes of the tables, and plans of the statements that run most, on a MariaDB of its own')
  .option('--users <n>', 'users, each with five permits', '100000')
  .option('--days <n>', 'days of history', '3')
  .option('--json', 'one JSON object on stdout', false)

const PERMITS_EACH = 5
/** As many users as one claim of the daily run takes, and as many permits as one step of the sweep looks at. */
const CLAIM = 500
const SWEEP_STEP = 999

const account = benchAccount()

const WORK: Work[] = [
  {
    name: 'claim: the next 500 due users, each with its oldest permit',
    async run(db) {
      const range = { range_no: 0, cur: 0, hi: Number.MAX_SAFE_INTEGER }
      const day = dayOf(account, today(), Date.now())
      return findDue(db, APP_ID, await boundRange(db, APP_ID, range, CLAIM), day, CLAIM)
    },
  },
  {
    name: 'sweep: the next 999 permits that ran out',
    async run(db) {
      const until = Date.now() + VALIDITY_MARGIN_MS + 30 * DAY_MS
      const place = await findPlace(db, APP_ID, { expire: 0, id: 0 }, until, SWEEP_STEP)
      return findStale(db, APP_ID, { expire: 0, id: 0 }, place ?? { expire: until, id: 0 })
    },
  },
  { name: 'GET /v1/permits', run: (db) => findBalance(db, account, 4_711, Date.now()) },
  { name: 'GET /v1/users/{user_id}', run: (db) => findUserDetail(db, account, 4_711, Date.now()) },
  {
    name: 'v_wx_due_now of one user',
    run: (db) =>
      selectRows(db, 'SELECT * FROM v_wx_due_now WHERE app_id = ? AND user_id = ?', [APP_ID, 4_711]),
  },
  { name: 'v_wx_today_run', run: (db) => selectRows(db, 'SELECT * FROM v_wx_today_run') },
]

async function main({ users, days, json }: { users: string; days: string; json: boolean }): Promise<void> {
  const database = await createBenchDatabase('mysql', GROWTH_SERVER)
  const { db } = database
  try {
    const now = Date.now()
    const wanted = Number(users)
    const expireFrom = now + 3 * DAY_MS
    await fillPermits(db, { appId: APP_ID, users: wanted, permitsEach: PERMITS_EACH, expireFrom }, now)
    await serviceRunOn(database, wanted, { latencyMs: 0, concurrency: 64 })
    await assertReminded(database, wanted, today())
    const history = { appId: APP_ID, users: wanted, days: Number(days), today: today(), complete: true }
    await fillHistory(db, history, now)
    await analyze(db)
    const sizes = await tableSizes(db)
    const plans: Planned[] = []
    for (const work of WORK) plans.push(await planOf(db, work))
    process.stdout.write(json ? `${JSON.stringify({ sizes, plans })}\n` : `${textOf(sizes, plans)}\n`)
  } finally {
    await database.close()
  }
}

function textOf(sizes: TableSize[], plans: Planned[]): string {
  const widths = [24, 12, 10, 12, 13]
  const columns = (...cells: (string | number)[]): string =>
    cells
      .map((cell, i) => (i === 0 ? String(cell).padEnd(24) : String(cell).padStart(widths[i] ?? 0)))
      .join('')
  return [
    columns('table', 'rows', 'data MB', 'indexes MB', 'bytes a row'),
    ...sizes.map((size) => columns(size.table, size.rows, size.data_mb, size.index_mb, size.bytes_a_row)),
    ...plans.flatMap(({ name, ms, reads, statements }) => [
      '',
      `${name}: reads ${reads}, ${ms} ms`,
      ...statements.flatMap(({ plan }) =>
        plan.map(
          ({ table, type, key, rows }) =>
            `  ${String(table).padEnd(24)} ${String(type).padEnd(8)} ${String(key ?? '-').padEnd(30)} ${rows}`,
        ),
      ),
    ]),
  ].join('\n')
}

await program.action(main).parseAsync()
