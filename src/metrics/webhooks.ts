import type { Account } from '../account.js'
import type { AttemptEnd } from '../webhooks/worker.js'
import type { Instruments } from './instruments.js'

const ENDS: AttemptEnd[] = ['delivered', 'retried', 'failed']

/** What the telling of backends reports to; accounts without a webhook have no series. */
export interface WebhookMetrics {
  of(account: Account): (end: AttemptEnd) => void
  /** `since`: when the oldest event that waits happened, in ms. */
  show(account: Account, since: number | undefined, now: number): void
}

export function createWebhookMetrics(instruments: Instruments): WebhookMetrics {
  const attempts = instruments.counter(
    'webhook_attempts_total',
    'Requests to the webhook: delivered, to be tried again (retried), or given up (failed).',
    ['app_id', 'outcome'],
  )
  const age = instruments.gauge(
    'webhook_oldest_waiting_seconds',
    'How long ago the oldest event happened that the backend has not been told of; 0: none waits.',
    ['app_id'],
  )
  return {
    of({ appId: app_id, webhook }) {
      if (webhook) for (const outcome of ENDS) attempts.inc({ app_id, outcome }, 0)
      return (outcome) => attempts.inc({ app_id, outcome })
    },
    show({ appId: app_id, webhook }, since, now) {
      if (webhook) age.set({ app_id }, since === undefined ? 0 : Math.max(0, now - since) / 1_000)
    },
  }
}
