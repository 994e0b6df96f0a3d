import { execute } from '../../src/db/sql.js'
import { addDays, toIsoDate } from '../../src/lib/business-date.js'
import { DAY_MS } from '../../src/lib/durations.js'
import { APP_ID } from '../candidates/account.js'
import { assertReminded, assertRemindedOn } from '../rig/books.js'
import type { BenchDatabase } from '../rig/database.js'
import { type Fill, fillPermits, inChunks, NUMBERS } from '../rig/fill.js'
import { fillHistory } from '../rig/history.js'
import { measure } from '../rig/measure.js'
import { startScript } from '../rig/process.js'
import { withSlowLog } from '../rig/slow-log.js'
import { MESSAGES } from './messages.js'
import { serviceRunOn, today } from './runs.js'
import { type Candidate, type GrowthScale, withScripts } from './suite.js'

/**
 * The same daily run on tables that have grown, each case beside the plain one: as many users are reached in each. And
 * what an operator asks of a large account.
 */

const PERMITS_EACH = 5
const RUN = { latencyMs: 0, concurrency: 64 }
/** In a case where most users are passed over, one in so many is reached. */
const ONE_IN = 10

const plain = (users: number): Fill => ({
  appId: APP_ID,
  users,
  permitsEach: PERMITS_EACH,
  expireFrom: Date.now() + 3 * DAY_MS,
})

/** A daily run that is to reach `reached` users of what `fill` leaves in the tables. */
function grownRun(
  name: string,
  reached: (scale: GrowthScale) => number,
  fill: (database: BenchDatabase, scale: GrowthScale) => Promise<void>,
  assertBooks = assertReminded,
): Candidate {
  return {
    name,
    unit: 'users',
    async run({ mysql, scale: { growth } }) {
      await mysql.empty()
      await fill(mysql, growth)
      await settle(mysql)
      const users = reached(growth)
      const date = today()
      const figures = await withSlowLog(mysql.db, () => serviceRunOn(mysql, users, RUN))
      await assertBooks(mysql, users, date)
      return figures
    },
  }
}

/** What the fill has left for the server to do, such as purging and writing pages, is not the run's. */
async function settle({ db }: BenchDatabase): Promise<void> {
  await db.raw('SET GLOBAL innodb_max_dirty_pages_pct = 0')
  const deadline = Date.now() + 60_000
  for (;;) {
    const [[row]] = await db.raw("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'")
    if (Number(row?.Value ?? 0) < 500 || Date.now() > deadline) break
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  await db.raw('SET GLOBAL innodb_max_dirty_pages_pct = DEFAULT')
}

async function signIn({ db }: BenchDatabase, users: number): Promise<void> {
  await inChunks(db, 1, users, async (first, last) => {
    await execute(
      db,
      `INSERT INTO wx_sign_in (app_id, user_id, day, streak, created_at)
       SELECT ?, n, ?, 1, ? FROM ${NUMBERS} WHERE n BETWEEN ? AND ? AND n % ${ONE_IN} <> 0`,
      [APP_ID, today(), Date.now(), first, last],
    )
  })
}

const GROWN: Candidate[] = [
  grownRun(
    'daily run, plain',
    ({ reached }) => reached,
    ({ db }, { reached }) => fillPermits(db, plain(reached), Date.now()),
  ),
  grownRun(
    'daily run, 30 days of history',
    ({ reached }) => reached,
    async (database, { reached: users, historyDays: days }) => {
      const { db } = database
      await fillPermits(db, { ...plain(users), permitsEach: PERMITS_EACH + 1 }, Date.now())
      await serviceRunOn(database, users, RUN)
      await fillHistory(db, { appId: APP_ID, users, days, today: today(), complete: true }, Date.now())
    },
  ),
  grownRun(
    'daily run, 90 % signed in',
    ({ reached }) => reached,
    async (database, { reached }) => {
      await fillPermits(database.db, plain(reached * ONE_IN), Date.now())
      await signIn(database, reached * ONE_IN)
    },
  ),
  grownRun(
    'daily run, 90 % without a valid permit',
    ({ reached }) => reached,
    ({ db }, { reached }) => fillPermits(db, { ...plain(reached * ONE_IN), validOneIn: ONE_IN }, Date.now()),
  ),
  grownRun(
    'daily run, 10 M settled messages',
    ({ reached }) => reached,
    async (database, { reached, settledMessages }) => {
      const { db } = database
      const users = 2 * reached
      const idle = { ...plain(reached), from: reached + 1, permitsEach: 1 }
      await fillPermits(db, { ...plain(reached), permitsEach: PERMITS_EACH + 1 }, Date.now())
      await fillPermits(db, idle, Date.now())
      await serviceRunOn(database, users, RUN)
      const days = Math.round(settledMessages / users)
      await fillHistory(db, { appId: APP_ID, users, days, today: today(), complete: false }, Date.now())
    },
    // The messages of the history have no permits.
    assertRemindedOn,
  ),
]

/** One account for what follows: it is filled once. */
async function fillMany(database: BenchDatabase, { many }: GrowthScale): Promise<void> {
  await database.empty()
  await fillPermits(database.db, plain(many), Date.now())
  await settle(database)
}

const REMINDED = 'many users, reminded'

const manyUsers: Candidate = {
  name: 'daily run, 1 M users',
  unit: 'users',
  async run({ mysql, scale: { growth } }) {
    await fillMany(mysql, growth)
    const date = today()
    const figures = await withSlowLog(mysql.db, () => serviceRunOn(mysql, growth.many, RUN))
    await assertRemindedOn(mysql, growth.many, date)
    mysql.holds = REMINDED
    return figures
  },
}

/** A command on an account of 1 M users with 5 M permits, all of whom were reminded today. */
function operation(name: string, command: () => string[]): Candidate {
  return {
    name: `${name}, 1 M users`,
    unit: 'users',
    async run(rig) {
      const { mysql, scale } = rig
      if (mysql.holds !== REMINDED) await manyUsers.run(rig)
      const config = { databaseUrl: mysql.url, command: command(), users: scale.growth.many }
      return measure(startScript('candidates/service-command.ts', config), mysql.pid)
    },
  }
}

const READ = { apiKey: 'bench-key-5e0d1c7a9f42', adminPassword: 'bench-password-5e0d1c7a9f42', times: 100 }
const SUMMARIZED = 'many users, reminded and summarized'

/** A call or a page of an account of 1 M users, with the summaries that its schedule keeps. */
function read(name: string, path: (user: number) => string): Candidate {
  return {
    name: `read ${name}`,
    unit: 'answers',
    async run(rig) {
      const { mysql, scale } = rig
      if (mysql.holds !== SUMMARIZED) {
        await operation('summarize', () => ['summarize']).run(rig)
        mysql.holds = SUMMARIZED
      }
      const listener = startScript('candidates/service-http.ts', { databaseUrl: mysql.url, ...READ })
      const url = await listener.line()
      const config = { ...READ, url, path: path(Math.round(scale.growth.many / 2)) }
      return withScripts([listener], () =>
        measure(startScript('candidates/read-load.ts', config), mysql.pid, listener),
      )
    },
  }
}

/** What answers at one's desk or to a program; a user in the middle of the million. */
export const READS: Candidate[] = [
  read('runs', () => '/v1/runs'),
  read("today's run", () => `/v1/runs/${toIsoDate(today())}`),
  read('forecast', () => '/v1/forecast?days=30'),
  read('who goes dark', () => `/v1/forecast/going-dark?date=${toIsoDate(addDays(today(), 3))}`),
  read('a user', (user) => `/v1/users/${user}`),
  read('explain today', (user) => `/v1/users/${user}/explain`),
  read('explain a later day', (user) => `/v1/users/${user}/explain?date=${toIsoDate(addDays(today(), 2))}`),
  read('a sign-in', (user) => `/v1/sign-ins?user_id=${user}`),
  read('permits of a user', (user) => `/v1/permits?user_id=${user}`),
  read('metrics', () => '/metrics'),
  read('page Today', () => '/dashboard'),
  read('page Permits', () => '/dashboard/permits'),
  read('page History', () => '/dashboard/history?days=90'),
  read('page User', (user) => `/dashboard/user/${user}`),
  read('page Errors', () => '/dashboard/errors'),
  read('page Health', () => '/dashboard/health'),
]

export const GROWTH: Candidate[] = [
  ...GROWN,
  manyUsers,
  operation('audit', () => ['audit']),
  // Of tomorrow, for which everybody is due.
  operation('plan', () => ['plan', '--date', toIsoDate(addDays(today(), 1))]),
  operation('forecast', () => ['forecast', '--days', '30']),
  operation('summarize', () => ['summarize']),
  ...READS,
  ...MESSAGES,
]

/** The working set of a million users is kept in memory, as their DBA would see to. */
export const GROWTH_SERVER = [
  '--innodb-buffer-pool-size=3G',
  '--innodb-log-file-size=1G',
  '--innodb-io-capacity=5000',
]
