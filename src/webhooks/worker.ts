import type { Knex } from 'knex'
import type { Webhook } from '../account.js'
import { inTransaction } from '../db/transaction.js'
import { ServiceError } from '../errors.js'
import { MINUTE_MS, SECOND_MS } from '../lib/durations.js'
import { isoTime } from '../lib/iso-time.js'
import type { Logger } from '../lib/logger.js'
import { traceIdOf } from '../messages/message.js'
import { pauseAfter } from './backoff.js'
import { claimDue } from './claim.js'
import { createWebhookClient, type WebhookAnswer, type WebhookClient } from './client.js'
import { readPayload } from './payload.js'
import { signedHeaders } from './signature.js'
import * as store from './store.js'

/** Tells the backend of one account what became of its messages. */
export interface WebhookWorker {
  /** Sends what is due, and returns how many attempts it made. Never runs twice at the same time. */
  workDue(): Promise<number>
  /** Begins nothing more, and resolves when the requests under way have ended. Safe to call twice. */
  stop(): Promise<void>
}

/** What became of an attempt: delivered, to be tried again, or given up. */
export type AttemptEnd = 'delivered' | 'retried' | 'failed'

export interface WebhookDeps {
  db: Knex
  appId: string
  webhook: Webhook
  log: Logger
  now(): number
  /** Is told of each attempt. */
  onAttempt?(end: AttemptEnd): void
  /** For tests: ms that a request may take. */
  timeoutMs?: number
}

/** A receiver that takes 50 ms is told of no more than 160 messages a second. */
const AT_ONCE = 8
/** Longer than a request and the writing of its result may take. */
const LEASE_MS = MINUTE_MS
/** After so many failures in a row, the receiver is away: then one request at a time finds out whether it is back. */
const IN_A_ROW = 5
const PAUSE_MS = 15 * SECOND_MS
const LONGEST_PAUSE_MS = MINUTE_MS

export function createWebhookWorker(deps: WebhookDeps): WebhookWorker {
  const { db, appId, webhook, log, now, onAttempt = () => {} } = deps
  const client = createWebhookClient(webhook.url, { connections: AT_ONCE, timeoutMs: deps.timeoutMs })
  let underWay: Promise<number> | undefined
  let stopping: Promise<void> | undefined
  let failures = 0
  let pauses = 0
  let pausedUntil = 0

  async function pass(): Promise<number> {
    let attempts = 0
    while (!stopping && now() >= pausedUntil && (await store.hasDue(db, appId, now()))) {
      const limit = failures < IN_A_ROW ? AT_ONCE : 1
      const { taken, looked } = await claimDue(db, appId, { limit, leaseMs: LEASE_MS }, now())
      for (const end of await all(taken.map((one) => attempt(deps, client, one)))) {
        onAttempt(end)
        failures = end === 'delivered' ? 0 : failures + 1
      }
      attempts += taken.length
      if (failures < IN_A_ROW) pauses = 0
      else if (taken.length > 0) rest()
      // What is left is in another process's hands.
      if (looked === 0) break
    }
    return attempts
  }

  function rest(): void {
    const ms = Math.min(LONGEST_PAUSE_MS, PAUSE_MS * 2 ** pauses++)
    pausedUntil = now() + ms
    log.warn(
      { event: 'webhook.paused', app_id: appId, failures, for_ms: ms },
      'the webhook takes nothing; then one request finds out whether it does again',
    )
  }

  async function stop(): Promise<void> {
    await underWay?.catch(() => {})
    await client.close()
  }

  return {
    workDue() {
      underWay ??= pass().finally(() => {
        underWay = undefined
      })
      return underWay
    },
    stop() {
      stopping ??= stop()
      return stopping
    },
  }
}

/** Waits for all of them, also where one fails. */
async function all<T>(promises: Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises)
  return Promise.all(promises)
}

/** One request, and what it means for the delivery. Nothing of the database is held while it is under way. */
async function attempt(
  { db, appId, webhook, log, now }: WebhookDeps,
  client: WebhookClient,
  due: store.Due,
): Promise<AttemptEnd> {
  const answer = await tell()
  const status = 'status' in answer ? answer.status : null
  const error = 'error' in answer ? answer.error : null
  const { id, attempts } = due
  const answered = { id, attempts, status, error }
  const about = {
    trace_id: traceIdOf(due.message_id),
    app_id: appId,
    delivery_id: id,
    message_id: due.message_id,
    attempts,
    http_status: status,
    error,
  }
  if (isTaken(answer)) {
    await finish('delivered')
    log.debug({ event: 'webhook.delivered', ...about })
    return 'delivered'
  }
  const pause = error === DELETED ? undefined : pauseAfter(attempts, status ?? undefined)
  if (pause === undefined) {
    await finish('failed')
    log.error(
      { event: 'webhook.given_up', ...about },
      'the backend was not told; redeliver it when it listens',
    )
    return 'failed'
  }
  const nextAttemptAt = now() + pause
  await store.tryAgain(db, answered, nextAttemptAt)
  log.warn({ event: 'webhook.failed', ...about, next_attempt_at: isoTime(nextAttemptAt) })
  return 'retried'

  async function tell(): Promise<WebhookAnswer> {
    try {
      const payload = await readPayload(db, appId, due)
      const body = JSON.stringify(payload)
      const timestamp = Math.floor(now() / SECOND_MS)
      return await client.post(body, signedHeaders(webhook.secrets, { id: payload.id, timestamp, body }))
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'not_found') return { error: DELETED }
      throw error
    }
  }

  async function finish(state: 'delivered' | 'failed'): Promise<void> {
    await inTransaction(db, async (trx) => {
      if (await store.end(trx, state, answered, now())) await store.releaseNext(trx, due.message_id, now())
    })
  }
}

/** In place of a name of an error: the message is not there any more. */
const DELETED = 'MESSAGE_DELETED'

const isTaken = (answer: WebhookAnswer): boolean =>
  'status' in answer && answer.status >= 200 && answer.status < 300
