import { DAY_MS } from '../../src/lib/durations.js'
import { APP_ID } from '../candidates/account.js'
import { assertAudit, assertCounted, assertSwept } from '../rig/books.js'
import type { BenchDatabase } from '../rig/database.js'
import { fillPermits } from '../rig/fill.js'
import { type Figures, measure } from '../rig/measure.js'
import { type Script, startScript } from '../rig/process.js'
import { type Candidate, type Scale, withScripts } from './suite.js'

const API_KEY = 'bench-key-5e0d1c7a9f42'
const PERMITS_A_USER = 5

interface UploadOptions {
  server: string
  batch?: number
  kind?: 'mysql' | 'sqlite'
  /** Whether the server stores what it takes. */
  stores?: boolean
}

/** Uploads over 64 connections to whoever listens. CPU is the listener's. */
function uploads(
  name: string,
  { server, batch = 1, kind = 'mysql', stores = true }: UploadOptions,
): Candidate {
  return {
    name,
    unit: 'form_ids',
    async run(rig) {
      const database = rig[kind]
      await database.empty()
      const listener = startScript(server, { databaseUrl: database.url, apiKey: API_KEY })
      const url = await listener.line()
      const figures = await withScripts([listener], () =>
        load(listener, { url, batch }, rig.scale, database.pid),
      )
      if (stores) await assertCounted(database, figures.acknowledged ?? 0)
      if (server === SERVICE) await assertAudit(database)
      return figures
    },
  }
}

const SERVICE = 'candidates/service-http.ts'

interface Load {
  url: string
  batch: number
  /** Other work, started with the load, which ends with it. */
  beside?: Script
}

async function load(
  listener: Script,
  { url, batch, beside }: Load,
  { loadSeconds, warmUpSeconds }: Scale,
  databasePid: number | undefined,
): Promise<Figures> {
  const config = { url, apiKey: API_KEY, connections: 64, seconds: loadSeconds, warmUpSeconds, batch }
  const script = startScript('candidates/upload-load.ts', config)
  if (!beside) return measure(script, databasePid, listener)
  await beside.line()
  let ended = Promise.resolve()
  const figures = await measure(script, databasePid, listener, () => {
    beside.tell('go')
    ended = beside.line().then(() => script.tell('stop'))
  })
  await ended
  return figures
}

async function fillStale(database: BenchDatabase, permits: number): Promise<void> {
  const now = Date.now()
  await database.empty()
  const fill = {
    appId: APP_ID,
    users: permits / PERMITS_A_USER,
    permitsEach: PERMITS_A_USER,
    expireFrom: now - DAY_MS,
  }
  await fillPermits(database.db, fill, now)
}

function sweep(name: string, script: string, mode?: string): Candidate {
  return {
    name,
    unit: 'permits',
    async run({ mysql, scale }) {
      await fillStale(mysql, scale.stalePermits)
      const figures = await measure(startScript(script, { databaseUrl: mysql.url, mode }), mysql.pid)
      await assertSwept(mysql, scale.stalePermits)
      await assertAudit(mysql)
      return figures
    },
  }
}

/** Uploads for as long as the sweep works through a backlog: what the load's callers notice of it. */
const uploadsBesideSweep: Candidate = {
  name: 'uploads beside the sweep',
  unit: 'form_ids',
  async run({ mysql, scale }) {
    await fillStale(mysql, scale.stalePermits)
    const listener = startScript(SERVICE, { databaseUrl: mysql.url, apiKey: API_KEY })
    const url = await listener.line()
    const sweeper = startScript('candidates/service-sweep.ts', { databaseUrl: mysql.url })
    const figures = await withScripts([listener, sweeper], () =>
      load(listener, { url, batch: 1, beside: sweeper }, scale, mysql.pid),
    )
    await assertCounted(mysql, figures.acknowledged ?? 0)
    await assertAudit(mysql)
    return figures
  },
}

export const UPLOADS: Candidate[] = [
  uploads('bare Fastify', { server: 'candidates/bare-fastify.ts', stores: false }),
  uploads('uploads', { server: SERVICE }),
  uploads('article uploads', { server: 'candidates/article-http.ts' }),
  uploads('uploads by 100', { server: SERVICE, batch: 100 }),
  uploads('uploads on SQLite', { server: SERVICE, kind: 'sqlite' }),
  uploadsBesideSweep,
]

export const SWEEPS: Candidate[] = [
  sweep('sweep', 'candidates/service-sweep.ts'),
  sweep('sweep in one transaction', 'candidates/peer-sweep.ts', 'one transaction'),
  sweep('article sweep', 'candidates/peer-sweep.ts', 'article'),
]
