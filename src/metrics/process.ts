import { collectDefaultMetrics, Registry } from 'prom-client'

/** Gauges that are called totals, which promtool objects to. Each sums up one beside it that says what it counts. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
]

let ofThisProcess: Registry | undefined

/**
 * CPU, memory, garbage collection and the lag of the event loop. They belong to the process, and what watches them
 * cannot be taken down again: so there is one such registry, made with the first service, and two services in one
 * process (tests, the demo) show the same.
 */
export function processRegistry(): Registry {
  if (!ofThisProcess) {
    ofThisProcess = new Registry()
    collectDefaultMetrics({ register: ofThisProcess })
    for (const name of MISNAMED) ofThisProcess.removeSingleMetric(name)
  }
  return ofThisProcess
}
