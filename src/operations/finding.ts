/** What the doctor says about one thing that a run needs. */
export interface Finding {
  name: string
  status: 'ok' | 'warn' | 'fail'
  /** What was found. */
  reason: string
  /** What to do about it; absent if there is nothing to do. */
  fix?: string
}
