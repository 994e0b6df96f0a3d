import type { Account } from './account.js'
import { callbacksJob } from './callbacks/job.js'
import type { CallbackWorker } from './callbacks/process.js'
import { recoverJob } from './messages/job.js'
import { type CounterCheck, countersJob } from './operations/counter-check.js'
import { expireJob } from './permits/job.js'
import { remindJob } from './reminders/job.js'
import type { RemindDeps } from './reminders/run.js'
import { purgeJob } from './retention/job.js'
import type { Job } from './schedule/job.js'
import { submittedJob } from './submitted/job.js'
import type { SubmittedWorker } from './submitted/worker.js'
import { summarizeJob } from './summaries/job.js'
import { webhooksJob } from './webhooks/job.js'
import type { WebhookWorker } from './webhooks/worker.js'

export interface JobDeps {
  sending: RemindDeps
  callbacks: CallbackWorker
  submitted: SubmittedWorker
  /** undefined: the account has no webhook. */
  webhooks: WebhookWorker | undefined
  counters: CounterCheck
  retentionDays: number
  /** Throws if our clock and the database's disagree: what is due, and what has run out, would be wrong. */
  assertClock(): Promise<void>
}

/** Everything that the schedule does for an account. A new job needs a file beside its work, and a line here. */
export function jobsOf(
  account: Account,
  { sending, callbacks, submitted, webhooks, counters, retentionDays, assertClock }: JobDeps,
): Job[] {
  return [
    recoverJob(sending, account),
    submittedJob(submitted),
    webhooksJob(webhooks),
    callbacksJob(callbacks),
    remindJob(sending, account, assertClock),
    expireJob(sending, account, assertClock),
    countersJob(counters),
    purgeJob(sending, { ...account, retentionDays }),
    summarizeJob(sending, account),
  ]
}
