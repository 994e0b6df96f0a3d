import { DAY_MS } from '../../src/lib/durations.js'
import { createIntake } from '../../src/submitted/intake.js'
import { readSubmission } from '../../src/submitted/read-request.js'
import { APP_ID, benchAccount } from '../candidates/account.js'
import type { BenchDatabase } from '../rig/database.js'
import { fillPermits } from '../rig/fill.js'
import { fillSubmitted } from '../rig/fill-messages.js'
import { type Figures, measure } from '../rig/measure.js'
import { startScript } from '../rig/process.js'
import { withSlowLog } from '../rig/slow-log.js'
import { type Candidate, type GrowthScale, type Rig, withScripts } from './suite.js'

/**
 * Messages that backends submit: on empty tables, and beside a million that ended, a million that wait and dead
 * letters.
 */

const API = { apiKey: 'bench-key-5e0d1c7a9f42', adminPassword: 'bench-password-5e0d1c7a9f42' }
const PERMITS_EACH = 5
const DEAD_ONE_IN = 10

interface Tables {
  name: string
  fill(database: BenchDatabase, scale: GrowthScale): Promise<void>
}

export const EMPTY_TABLES = 'backends'
export const GROWN_TABLES = 'backends, 1 M ended and 1 M waiting'

const EMPTY: Tables = { name: EMPTY_TABLES, fill: () => Promise.resolve() }
const GROWN: Tables = {
  name: GROWN_TABLES,
  fill: ({ db }, scale) =>
    fillSubmitted(
      db,
      {
        appId: APP_ID,
        users: usersOf(scale),
        ended: scale.many,
        later: scale.many,
        dead: scale.many / DEAD_ONE_IN,
      },
      Date.now(),
    ),
}

/** As many as a backlog of that size may have: nobody has more than a few messages waiting. */
const usersOf = ({ many }: GrowthScale): number => many / 5

async function prepare(database: BenchDatabase, tables: Tables, scale: GrowthScale): Promise<void> {
  if (database.holds === tables.name) return
  await database.empty()
  const now = Date.now()
  const users = usersOf(scale)
  const expireFrom = now + 3 * DAY_MS
  await fillPermits(database.db, { appId: APP_ID, users, permitsEach: PERMITS_EACH, expireFrom }, now)
  await tables.fill(database, scale)
  database.holds = tables.name
}

/**
 * A candidate on these tables. What it adds to them is little beside what they hold, so the next one may use them too.
 */
function on(tables: Tables, name: string, unit: string, work: (rig: Rig) => Promise<Figures>): Candidate {
  return {
    name: `${tables.name}, ${name}`,
    unit,
    async run(rig) {
      await prepare(rig.mysql, tables, rig.scale.growth)
      return withSlowLog(rig.mysql.db, () => work(rig))
    },
  }
}

/** Listens while `script` calls. CPU is the listener's. */
async function calls({ mysql }: Rig, script: string, config: object): Promise<Figures> {
  const listener = startScript('candidates/service-http.ts', { databaseUrl: mysql.url, ...API })
  const url = await listener.line()
  return withScripts([listener], () =>
    measure(startScript(script, { ...API, times: TIMES, ...config, url }), mysql.pid, listener),
  )
}

const TIMES = 100
const CONNECTIONS = 16

const submitting = (tables: Tables, name: string, batch: number): Candidate =>
  on(tables, name, 'messages', (rig) => {
    const { loadSeconds, warmUpSeconds, growth } = rig.scale
    const load = { connections: CONNECTIONS, seconds: loadSeconds / 2, warmUpSeconds, batch }
    return calls(rig, 'candidates/message-load.ts', { ...load, users: usersOf(growth) })
  })

const SUBMITTED_AT_ONCE = 500

/** Submitted as a backend would, and then sent to a WeChat that answers at once. */
const delivered = (tables: Tables): Candidate =>
  on(tables, 'delivered', 'messages', async ({ mysql, scale: { growth } }) => {
    const account = benchAccount()
    const messages = growth.reached / 5
    const intake = createIntake(mysql.db, account)
    const now = Date.now()
    for (let from = 1; from <= messages; from += SUBMITTED_AT_ONCE) {
      const items = Array.from({ length: SUBMITTED_AT_ONCE }, (_, i) => ({
        user_id: usersOf(growth) - from - i,
        template_id: account.templateId,
        data: { keyword1: '您的包裹已到驿站', keyword2: '取件码 8-2-1024', keyword4: '2026.11.21' },
      }))
      const request = { submittedBy: 'bench', key: `${now}-${from}`, body: { items } }
      await intake.submit(readSubmission(account, request, now))
    }
    const stub = startScript('rig/wechat-stub.ts', { latencyMs: 0 })
    return withScripts([stub], async () => {
      const config = { stubUrl: await stub.line(), databaseUrl: mysql.url, concurrency: 64 }
      const figures = await measure(startScript('candidates/service-messages.ts', config), mysql.pid)
      if (figures.done !== messages) throw new Error(`${figures.done} of ${messages} messages were delivered`)
      return figures
    })
  })

const read = (name: string, path: (scale: GrowthScale) => string): Candidate =>
  on(GROWN, name, 'answers', (rig) => calls(rig, 'candidates/read-load.ts', { path: path(rig.scale.growth) }))

interface Call {
  method: string
  path: string
  body?: string
  status: number
  from(scale: GrowthScale): number
}

const call = (name: string, { from, ...of }: Call): Candidate =>
  on(GROWN, name, 'answers', (rig) =>
    calls(rig, 'candidates/message-calls.ts', { ...of, from: from(rig.scale.growth), step: 7 }),
  )

/** What answers at one's desk or to a program. */
export const MESSAGE_READS: Candidate[] = [
  read('list', () => '/v1/messages?limit=100'),
  read('list of a user', ({ many }) => `/v1/messages?limit=100&user_id=${Math.round(many / 10)}`),
  read('list of a template', () => '/v1/messages?limit=100&template_id=bench'),
  read('list of a template that none has', () => '/v1/messages?limit=100&template_id=other'),
  read('list of queued', () => '/v1/messages?limit=100&state=queued'),
  read('list of retry, which none is', () => '/v1/messages?limit=100&state=retry'),
  read('list of delivered', () => '/v1/messages?limit=100&state=delivered'),
  read('list of dead', () => '/v1/messages?limit=100&state=dead'),
  read('list of dead of a template', () => '/v1/messages?limit=100&state=dead&template_id=other'),
  read('webhook deliveries', () => '/v1/webhook-deliveries?limit=100'),
  read('page Messages', () => '/dashboard/messages'),
  read('page Messages, dead of a code', () => '/dashboard/messages?state=dead&errcode=40037'),
  read('page Today', () => '/dashboard'),
  read('metrics', () => '/metrics'),
  call('one message', { method: 'GET', path: '/v1/messages/{id}', status: 200, from: () => 1 }),
  call('cancel', {
    method: 'DELETE',
    path: '/v1/messages/{id}',
    status: 200,
    from: ({ many }) => many + 1,
  }),
  call('re-queue', {
    method: 'POST',
    path: '/v1/messages/{id}/requeue',
    body: '{}',
    status: 202,
    from: ({ many }) => 2 * many + 1,
  }),
]

export const MESSAGES: Candidate[] = [
  submitting(EMPTY, 'submitted', 1),
  submitting(EMPTY, 'submitted by 100', 100),
  delivered(EMPTY),
  submitting(GROWN, 'submitted', 1),
  submitting(GROWN, 'submitted by 100', 100),
  delivered(GROWN),
  ...MESSAGE_READS,
]
