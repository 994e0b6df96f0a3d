/** What the doctor says of one thing that a run needs. */
export interface Finding {
  name: string
  status: 'ok' | 'warn' | 'fail'
  /** What was found. */
  reason: string
  /** What to do about it; only where there is something to do. */
  fix?: string
}
