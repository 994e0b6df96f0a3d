import { type Instruments, setTo } from './instruments.js'

/** What a check of the counters beside the work has found. */
export interface CounterFindings {
  wrong: number
  passes: number
}

/** Returns what shows these findings. */
export function createCounterMetrics(
  instruments: Instruments,
): (appId: string, findings: CounterFindings) => void {
  const drift = instruments.gauge(
    'books_drift_users',
    'Users whose counter is not the number of their unspent permits, as far as this process has looked, at most 500.',
    ['app_id'],
  )
  const passes = instruments.counter(
    'books_check_passes_total',
    'How often this process has looked at the counters of all users.',
    ['app_id'],
  )
  return (app_id, found) => {
    drift.set({ app_id }, found.wrong)
    setTo(passes, { app_id }, found.passes)
  }
}
