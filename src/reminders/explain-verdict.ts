import type { Facts } from './explain-facts.js'
import type { Coming } from './explain-schedule.js'
import type { Standing } from './explain-standing.js'

export const OUTCOMES = [
  'will_be_reminded',
  'reminded',
  'being_sent',
  'failed',
  'unknown',
  'signed_in',
  'no_permit',
  'no_valid_permit',
  'wrong_template',
  'no_open_id',
  'opted_out',
  'blocked',
  'not_known',
  'run_halted',
  'run_paused',
  'run_missed',
  'window_closed',
  'not_reached',
] as const
export type Outcome = (typeof OUTCOMES)[number]

/** What became or will become of a user's reminder, and what decided it. */
export interface Verdict {
  outcome: Outcome
  /** A finer reason, where the outcome has several. */
  because?: Because
  /** Where the user stood at the moment that decided. */
  standing?: Standing
  /** The run that is still to look at the user. */
  coming?: { at: number; how: Coming['how'] }
  /** Reminders of earlier days that will have spent a permit until then. */
  spentBefore?: number
  /** What is on record allows these reasons as well. */
  orElse?: Standing['kind'][]
  /** It counts on a permit having been written after the run: it has no time. */
  countsOnUndated?: boolean
}

export type Because =
  | 'never_seen'
  | 'before_first_run'
  | 'purged'
  | 'last_date'
  | 'no_firing'
  | 'no_template'
  | 'late_firing'
  | 'limited'
  | 'given_back'
  | 'passed_over'

/** What does not depend on a moment: the message of that day, or that nobody has heard of the user. */
export function verdictOfRecord({ isKnown, message, counter, date }: Facts): Verdict | undefined {
  if (!isKnown) return { outcome: 'not_known', because: 'never_seen' }
  switch (message?.state) {
    case 'delivered':
      return { outcome: 'reminded' }
    case 'failed':
    case 'unknown':
      return { outcome: message.state }
    case 'queued':
    case 'sending':
    case 'retry':
      return { outcome: 'being_sent' }
    case undefined:
      return counter?.last_date === date ? REMINDED_BY_COUNTER : undefined
  }
}

export const REMINDED_BY_COUNTER: Verdict = { outcome: 'reminded', because: 'last_date' }

/** The user's own reason if there is one, else what became of the run. */
export function decide(standing: Standing, ofTheRun: Verdict): Verdict {
  return standing.kind === 'due' ? { ...ofTheRun, standing } : { outcome: standing.kind, standing }
}

/** The first run that finds the user due will remind; if none does, the reason at the first one counts. */
export function verdictOfComing({ moments, how }: Coming, standingAt: (at: number) => Standing): Verdict {
  const [first, ...rest] = moments.map(standingAt)
  if (!first) throw new Error('a coming run has a moment')
  const due = [first, ...rest].find(({ kind }) => kind === 'due')
  const decisive = due ?? first
  const coming = { at: decisive.at, how: decisive === first ? how : ('firing' as const) }
  return { ...decide(decisive, { outcome: 'will_be_reminded' }), coming }
}
