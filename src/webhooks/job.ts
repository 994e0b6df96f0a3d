import { defineJob, EVERY_SECOND, type Job } from '../schedule/job.js'
import type { WebhookWorker } from './worker.js'

/** Tells a backend what became of its messages; without a webhook there is never anything due. */
export function webhooksJob(worker: WebhookWorker | undefined): Job {
  return defineJob({
    name: 'webhooks',
    ticks: [EVERY_SECOND],
    findDue: async () => worker,
    async run(due) {
      await due.workDue()
    },
  })
}
