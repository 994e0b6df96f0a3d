import type { Logger } from '../lib/logger.js'
import type { RetryFilter } from '../reminders/retry-filter.js'
import { createBackground } from './background.js'

export interface RunWish {
  /** The most users to remind from now on. */
  limit?: number
  /** Failed reminders of today to be tried once more. */
  retry?: RetryFilter
}

/** Runs that operators start. They belong to the process and not to the request: the browser may be closed. */
export interface OperatorRuns {
  /**
   * Starts or joins today's run. `busy`: this process works on one that an operator has started. Throws if the
   * clocks disagree, and `not_ready` once the service stops.
   */
  start(wish: RunWish): Promise<'begun' | 'busy'>
  /** Ends what is under way in order, as the schedule does. Nothing is started afterwards. */
  stop(): Promise<void>
}

export function createOperatorRuns(deps: {
  run(wish: RunWish, signal: AbortSignal): Promise<unknown>
  assertClock(): Promise<void>
  appId: string
  log: Logger
}): OperatorRuns {
  const background = createBackground((error) =>
    deps.log.error(
      { event: 'dashboard.run_failed', app_id: deps.appId, err: error },
      'a run that an operator started failed',
    ),
  )
  return {
    async start(wish) {
      await deps.assertClock()
      return background.begin((signal) => deps.run(wish, signal)) === 'busy' ? 'busy' : 'begun'
    },
    stop: background.stop,
  }
}
