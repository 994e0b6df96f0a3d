import type { Reason } from './reason.js'

export type Trigger = 'cron' | 'catch-up' | 'manual'
export type RunState = 'running' | 'done' | 'halted' | 'paused' | 'limited' | 'window_closed' | 'missed'

/** One firing of one job: a row of wx_job_run. Its unique key keeps two processes from both opening it. */
export interface Occurrence {
  /** The name of the job. */
  job: string
  appId: string
  /** The business date of a daily run or a purge; for a sweep, the time of the firing in ms. */
  slot: number
}

export interface JobRun {
  id: number
  slot: number
  state: RunState
  reason: Reason | null
  started_at: number
}

export interface Ending {
  state: RunState
  reason: Reason | null
}
