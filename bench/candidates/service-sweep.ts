import { readConfig } from '../../src/config/read.js'
import { openBase } from '../../src/deps.js'
import { expireStale } from '../../src/permits/expire.js'
import { config, finish, ready } from '../rig/candidate.js'
import { APP_ID } from './account.js'

/** The sweep of this service: in chunks, with a rest after each. */
const { databaseUrl } = config<{ databaseUrl: string }>()
const base = openBase(readConfig({ DATABASE_URL: databaseUrl, LOG_LEVEL: 'warn' }))
await base.db.raw('SELECT 1')
await ready()
const startedAt = performance.now()
const now = base.now()
const swept = await expireStale(
  { db: base.db, log: base.log, signal: new AbortController().signal },
  { appId: APP_ID, slot: now, triggeredBy: 'manual' },
  now,
)
finish({ done: swept?.expired ?? 0, seconds: (performance.now() - startedAt) / 1_000 })
