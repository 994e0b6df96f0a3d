import { defineJob, EVERY_FEW_SECONDS, type Job } from '../schedule/job.js'
import type { DeliverDeps } from './delivery.js'
import { recover } from './recovery.js'
import type { SendingWindow } from './window.js'

/** Takes over what dead processes left, and sends the retries that are due. */
export function recoverJob(deps: DeliverDeps, window: SendingWindow): Job {
  return defineJob({
    name: 'recover',
    ticks: [EVERY_FEW_SECONDS],
    // Looking costs as much as starting: recover itself finds that nothing is left.
    findDue: async () => window,
    async run(_, signal) {
      const tally = await recover(deps, window, { signal })
      const { delivered, failed, unknown, cancelled } = tally
      if (delivered + failed + unknown + cancelled > 0) deps.log.info({ event: 'recovery.done', ...tally })
    },
  })
}
