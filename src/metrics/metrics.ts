import type { FastifyInstance } from 'fastify'
import type { Knex } from 'knex'
import { Registry } from 'prom-client'
import type { Account } from '../account.js'
import type { ObserveStatement } from '../db/observed-client.js'
import { poolStateOf } from '../db/pool.js'
import { businessDate } from '../lib/business-date.js'
import type { SendingObserver } from '../messages/observer.js'
import type { TokenCounters } from '../tokens/shared-token.js'
import type { AttemptEnd } from '../webhooks/worker.js'
import type { ObserveRequest } from '../wechat/http.js'
import { createCached, type Look } from './cached.js'
import { type CallerMetrics, createCallerMetrics, createEventMetrics, type EventMetrics } from './callers.js'
import { type CounterFindings, createCounterMetrics } from './counters.js'
import { createDatabaseMetrics } from './database.js'
import { createHttpMetrics } from './http.js'
import { forget, instrumentsOf } from './instruments.js'
import { createPermitMetrics, type PermitStanding, readPermits } from './permits.js'
import { processRegistry } from './process.js'
import { createSendingMetrics } from './sending.js'
import { createSettingsMetrics } from './settings.js'
import { createStandingMetrics, readStanding, type Standing } from './standing.js'
import { createStatementMetrics } from './statements.js'
import { createSubmittedMetrics } from './submitted.js'
import { createTokenMetrics } from './tokens.js'
import { createUploadMetrics, type UploadMetrics } from './uploads.js'
import { createWebhookMetrics } from './webhooks.js'
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

/** What the parts of an account report to. */
export interface AccountMetrics {
  sending: SendingObserver
  uploads: UploadMetrics
  events: EventMetrics
  onWechatRequest: ObserveRequest
  onWebhook(end: AttemptEnd): void
  /** From then on `text` tells of these too. */
  watch(sources: Sources): void
}

/** The metrics of one service: what its parts report to, and the text that Prometheus reads. */
export interface Metrics {
  onStatement: ObserveStatement
  callers: CallerMetrics
  /** Call it before the routes are registered. */
  countRequests(app: FastifyInstance): void
  /** Shows an account, from now on with these settings. */
  of(account: Account): AccountMetrics
  /** Takes away what is shown of an account that is no longer served. */
  forget(appId: string): Promise<void>
  contentType: string
  /** All metrics in Prometheus' text format, within about a second whatever the database does. Never rejects for it. */
  text(): Promise<string>
}

/** What is known of an account at a scrape. */
interface Seen {
  account: Account
  sources: Sources
  read(): Promise<Look<{ standing: Standing; permits: PermitStanding }>>
}

/** A registry of its own: two services in one process share no number but those of the process. */
export function createMetrics({ version }: { version: string }): Metrics {
  const registry = new Registry()
  const instruments = instrumentsOf(registry)
  const showSettings = createSettingsMetrics(instruments, version)
  const showStanding = createStandingMetrics(instruments)
  const showDatabase = createDatabaseMetrics(instruments)
  const permits = createPermitMetrics(instruments)
  const showCounters = createCounterMetrics(instruments)
  const showTokens = createTokenMetrics(instruments)
  const sendingOf = createSendingMetrics(instruments)
  const uploadsOf = createUploadMetrics(instruments)
  const eventsOf = createEventMetrics(instruments)
  const requestsOf = createWechatMetrics(instruments)
  const webhooks = createWebhookMetrics(instruments)
  const showSubmitted = createSubmittedMetrics(instruments)
  const seen = new Map<string, Seen>()
  const inTurn = createQueue()

  function watch(account: Account, sources: Sources): void {
    const { db } = sources
    const { appId } = account
    const read = async () => ({
      standing: await readStanding(db, appId),
      permits: await readPermits(db, appId),
    })
    const limits = { maxAgeMs: READ_EVERY_MS, patienceMs: DATABASE_PATIENCE_MS }
    seen.set(appId, { account, sources, read: createCached(() => inTurn(read), limits) })
  }

  async function look(): Promise<void> {
    const looks = await Promise.all([...seen.values()].map(async (one) => ({ one, ...(await one.read()) })))
    permits.clear()
    for (const { one, value } of looks) {
      const { account, sources } = one
      // Forgotten, or opened anew, while the others were read.
      if (seen.get(account.appId) !== one) continue
      if (value) {
        showStanding(account, value.standing)
        showSubmitted(account.appId, value.standing.submitted, sources.now())
        webhooks.show(account, value.standing.waitingSince, sources.now())
        permits.show(account.appId, value.permits, businessDate(sources.now(), account.timezone))
      }
      showTokens(account.appId, sources.tokens())
      showCounters(account.appId, sources.counters())
    }
    const [first] = looks
    if (first) showDatabase(first.isFresh, poolStateOf(first.one.sources.db))
  }

  return {
    onStatement: createStatementMetrics(instruments),
    callers: createCallerMetrics(instruments),
    countRequests: createHttpMetrics(instruments),
    of(account) {
      const { appId } = account
      showSettings(account)
      return {
        sending: sendingOf(account),
        uploads: uploadsOf(appId),
        events: eventsOf(appId),
        onWechatRequest: requestsOf(appId),
        onWebhook: webhooks.of(account),
        watch: (sources) => watch(account, sources),
      }
    },
    async forget(appId) {
      seen.delete(appId)
      await forget(registry, appId)
    },
    contentType: registry.contentType,
    async text() {
      await look()
      const [own, ofProcess] = await Promise.all([registry.metrics(), processRegistry().metrics()])
      return own + ofProcess
    },
  }
}

/** Accounts are read one after the other: the connections are for the work. */
function createQueue(): <T>(read: () => Promise<T>) => Promise<T> {
  let before: Promise<unknown> = Promise.resolve()
  return (read) => {
    const next = before.then(read)
    before = next.catch(() => {})
    return next
  }
}
