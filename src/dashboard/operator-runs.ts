import { ServiceError } from '../errors.js'
import type { Logger } from '../lib/logger.js'
import type { RetryFilter } from '../reminders/retry-filter.js'

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
  const stopping = new AbortController()
  let underWay: Promise<unknown> | undefined

  return {
    async start(wish) {
      await deps.assertClock()
      if (stopping.signal.aborted) throw new ServiceError('not_ready', 'This process is being stopped')
      if (underWay) return 'busy'
      underWay = deps
        .run(wish, stopping.signal)
        .catch((error: unknown) => {
          deps.log.error(
            { event: 'dashboard.run_failed', app_id: deps.appId, err: error },
            'a run that an operator started failed',
          )
        })
        .finally(() => {
          underWay = undefined
        })
      return 'begun'
    },
    async stop() {
      stopping.abort()
      await underWay
    },
  }
}
