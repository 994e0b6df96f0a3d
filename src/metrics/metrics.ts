import type { FastifyInstance } from 'fastify'
import type { Knex } from 'knex'
import { Registry } from 'prom-client'
import type { Account } from '../account.js'
import type { ObserveStatement } from '../db/observed-client.js'
import { poolStateOf } from '../db/pool.js'
import { businessDate } from '../lib/business-date.js'
import type { SendingObserver } from '../messages/observer.js'
import type { TokenCounters } from '../tokens/shared-token.js'
import type { ObserveRequest } from '../wechat/http.js'
import { createCached } from './cached.js'
import { type CallerMetrics, createCallerMetrics } from './callers.js'
import { type CounterFindings, createCounterMetrics } from './counters.js'
import { createDatabaseMetrics } from './database.js'
import { createHttpMetrics } from './http.js'
import { instrumentsOf } from './instruments.js'
import { createPermitMetrics, readPermits } from './permits.js'
import { processRegistry } from './process.js'
import { createSendingMetrics } from './sending.js'
import { showSettings } from './settings.js'
import { createStandingMetrics, readStanding } from './standing.js'
import { createStatementMetrics } from './statements.js'
import { createTokenMetrics } from './tokens.js'
import { createUploadMetrics, type UploadMetrics } from './uploads.js'
import { createWechatMetrics } from './wechat.js'

/** Several Prometheus servers that ask within this time share one read of the database. */
const READ_EVERY_MS = 5_000
/** A scrape waits no longer for the database; its own limit is 10 s by default. */
const DATABASE_PATIENCE_MS = 1_000

/** What is looked at when metrics are asked for. */
export interface Sources {
  db: Knex
  now(): number
  tokens(): TokenCounters
  counters(): CounterFindings
}

/** The metrics of one service: what its parts report to, and the text that Prometheus reads. */
export interface Metrics {
  onStatement: ObserveStatement
  sending: SendingObserver
  uploads: UploadMetrics
  callers: CallerMetrics
  /** Call it before the routes are registered. */
  countRequests(app: FastifyInstance): void
  onWechatRequest: ObserveRequest
  /** From then on `text` tells of these too. */
  watch(sources: Sources): void
  contentType: string
  /** All metrics in Prometheus' text format, within about a second whatever the database does. Never rejects for it. */
  text(): Promise<string>
}

/** A registry of its own: two services in one process share no number but those of the process. */
export function createMetrics({ version, account }: { version: string; account: Account }): Metrics {
  const registry = new Registry()
  const instruments = instrumentsOf(registry)
  showSettings(instruments, version, account)
  const showStanding = createStandingMetrics(instruments)
  const showDatabase = createDatabaseMetrics(instruments)
  const showPermits = createPermitMetrics(instruments)
  const showCounters = createCounterMetrics(instruments)
  const showTokens = createTokenMetrics(instruments)
  let look: (() => Promise<void>) | undefined

  return {
    onStatement: createStatementMetrics(instruments),
    sending: createSendingMetrics(instruments),
    uploads: createUploadMetrics(instruments),
    callers: createCallerMetrics(instruments),
    countRequests: createHttpMetrics(instruments),
    onWechatRequest: createWechatMetrics(instruments),
    watch({ db, now, tokens, counters }) {
      const { appId, timezone } = account
      const read = async () => ({
        standing: await readStanding(db, appId),
        permits: await readPermits(db, appId),
      })
      const readNow = createCached(read, { maxAgeMs: READ_EVERY_MS, patienceMs: DATABASE_PATIENCE_MS })
      look = async () => {
        const { value, isFresh } = await readNow()
        if (value) {
          showStanding(account, value.standing)
          showPermits(appId, value.permits, businessDate(now(), timezone))
        }
        showDatabase(isFresh, poolStateOf(db))
        showTokens(tokens())
        showCounters(appId, counters())
      }
    },
    contentType: registry.contentType,
    async text() {
      await look?.()
      const [own, ofProcess] = await Promise.all([registry.metrics(), processRegistry().metrics()])
      return own + ofProcess
    },
  }
}
