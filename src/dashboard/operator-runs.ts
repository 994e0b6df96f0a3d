import { ServiceError } from '../errors.js'
import type { Logger } from '../lib/logger.js'

/** Runs that operators start. They belong to the process and not to the request: the browser may be closed. */
export interface OperatorRuns {
  /**
   * Starts or joins today's run. `busy`: this process works on one that an operator has started. Throws if the
   * clocks disagree, and `not_ready` once the service stops.
   */
  start(limit: number | undefined): Promise<'begun' | 'busy'>
  /** Ends what is under way in order, as the schedule does. Nothing is started afterwards. */
  stop(): Promise<void>
}

export function createOperatorRuns(deps: {
  run(options: { signal: AbortSignal; limit?: number }): Promise<unknown>
  assertClock(): Promise<void>
  log: Logger
}): OperatorRuns {
  const stopping = new AbortController()
  let underWay: Promise<unknown> | undefined

  return {
    async start(limit) {
      await deps.assertClock()
      if (stopping.signal.aborted) throw new ServiceError('not_ready', 'This process is being stopped')
      if (underWay) return 'busy'
      underWay = deps
        .run({ signal: stopping.signal, ...(limit === undefined ? {} : { limit }) })
        .catch((error: unknown) => {
          deps.log.error(
            { event: 'dashboard.run_failed', err: error },
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
