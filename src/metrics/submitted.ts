import type { Instruments } from './instruments.js'

/** How the messages that backends submitted stand. */
export interface SubmittedStanding {
  /** Since when the oldest message whose time has come waits, in ms; undefined: none waits. */
  dueSince: number | undefined
  /** Dead letters, as far as they are counted. */
  dead: number
}

/** Returns what shows them. */
export function createSubmittedMetrics(
  instruments: Instruments,
): (appId: string, standing: SubmittedStanding, now: number) => void {
  const age = instruments.gauge(
    'submitted_oldest_due_seconds',
    'How long the oldest submitted message has waited since its time came; 0: none waits.',
    ['app_id'],
  )
  const dead = instruments.gauge(
    'submitted_dead_messages',
    'Submitted messages that used up their attempts and were not queued again, at most 10,000.',
    ['app_id'],
  )
  return (app_id, standing, now) => {
    const { dueSince } = standing
    age.set({ app_id }, dueSince === undefined ? 0 : Math.max(0, now - dueSince) / 1_000)
    dead.set({ app_id }, standing.dead)
  }
}
