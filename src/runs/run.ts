export type Trigger = 'cron' | 'catch-up' | 'manual'
export type RunState = 'running' | 'done' | 'halted' | 'paused' | 'limited' | 'window_closed' | 'missed'

/** One firing of one job: a row of wx_job_run. Its unique key is what keeps two processes from opening it twice. */
export interface Occurrence {
  /** The name of the job. */
  job: string
  appId: string
  /** Business date of a daily run or a purge, ms of the firing of a sweep. */
  slot: number
}

export interface JobRun {
  id: number
  slot: number
  state: RunState
  reason: string | null
  started_at: number
}

export interface Ending {
  state: RunState
  reason: string | null
}
