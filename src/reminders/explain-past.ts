import { errcodeOf } from '../wechat/errcodes.js'
import type { Facts, RunFact } from './explain-facts.js'
import type { DaySchedule } from './explain-schedule.js'
import { momentsOfChange, type Standing, standingAt } from './explain-standing.js'
import { decide, REMINDED_BY_COUNTER, type Verdict } from './explain-verdict.js'

/**
 * Why a day whose run is over, or did not start, left the user without a message. The last pass of the run decides:
 * started again on the same day, it looks at everybody again.
 */
export function verdictOfPast(facts: Facts, schedule: DaySchedule, now: number): Verdict {
  const { run, counter, date } = facts
  if (!run || run.state === 'missed') {
    const at = Math.min(schedule.firings[0] ?? schedule.closesAt, now)
    return decide(standingAt(facts, at), ofNoRun(run, schedule))
  }
  const from = Math.max(run.started_at, lastGivenBack(facts, run)?.at ?? 0)
  const ended = run.state === 'running' ? now : (run.finished_at ?? now)
  const to = Math.max(from, Math.min(ended, schedule.closesAt))
  // A later last_date says nothing of this day, unless it was there before the run.
  if (counter && counter.last_date > date && counter.updated_at <= run.started_at) return REMINDED_BY_COUNTER
  const ofTheRun = verdictOfRun(run, now >= schedule.closesAt)
  return ofGivenBack(facts, run, schedule.closesAt, ofTheRun) ?? ofPass(facts, run, { from, to }, ofTheRun)
}

function ofNoRun(run: RunFact | undefined, { firings, useful }: DaySchedule): Verdict {
  if (!run && firings.length === 0) return { outcome: 'not_reached', because: 'no_firing' }
  return {
    outcome: 'run_missed',
    ...(firings.length > 0 && useful.length === 0 ? { because: 'late_firing' } : {}),
  }
}

function verdictOfRun({ state }: RunFact, isClosed: boolean): Verdict {
  switch (state) {
    case 'halted':
      return { outcome: 'run_halted' }
    case 'paused':
      return { outcome: 'run_paused' }
    case 'missed':
      return { outcome: 'run_missed' }
    case 'window_closed':
      return { outcome: 'window_closed' }
    case 'limited':
      return { outcome: 'not_reached', because: 'limited' }
    case 'running':
      // Nobody has ended it, and nobody may go on with it.
      return isClosed ? { outcome: 'window_closed' } : { outcome: 'not_reached', because: 'passed_over' }
    case 'done':
      return { outcome: 'not_reached', because: 'passed_over' }
  }
}

/** The reminder that this pass of the run claimed and gave back. */
function lastGivenBack({ givenBack }: Facts, run: RunFact): Facts['givenBack'] {
  return givenBack && givenBack.at >= run.started_at ? givenBack : undefined
}

/**
 * A reminder that was claimed and given back: because it was no longer wanted, because its window closed while it
 * waited, or because WeChat refused it for a mistake of ours or a quota. After those, the run does not come back to the
 * user by itself. Given back for anything else (a stop, an outage), the user was looked at once more.
 */
function ofGivenBack(facts: Facts, run: RunFact, closesAt: number, ofTheRun: Verdict): Verdict | undefined {
  const givenBack = lastGivenBack(facts, run)
  if (!givenBack) return undefined
  // Its permit was in its hands: only what the user wanted counts.
  const standing = standingAt(facts, Math.min(givenBack.at, closesAt))
  const wish = wishOf(standing)
  const because = 'given_back'
  if (wish) return { outcome: wish, standing: { ...standing, kind: wish }, because }
  if (givenBack.at >= closesAt) return { outcome: 'window_closed', standing, because }
  if (givenBack.errcode === null || !STAYS_WITH_US.has(errcodeOf(givenBack.errcode).class)) return undefined
  return { ...ofTheRun, standing, because }
}

function wishOf({ stop, hasSignedIn }: Standing): 'opted_out' | 'blocked' | 'signed_in' | undefined {
  if (stop) return stop.kind === 'block' ? 'blocked' : 'opted_out'
  return hasSignedIn ? 'signed_in' : undefined
}

const STAYS_WITH_US = new Set(['configuration', 'token', 'quota'])

/**
 * The pass from `from` to `to`. If it has come to the user, the user was not due at some moment of it, so a moment
 * without being due is the reason. If not, the user's standing at its end counts, and then what ended it.
 */
function ofPass(
  facts: Facts,
  run: RunFact,
  { from, to }: { from: number; to: number },
  ofTheRun: Verdict,
): Verdict {
  if (!run.isRead && run.state !== 'done') return decide(standingAt(facts, to), ofTheRun)
  const standings = momentsOfChange(facts, from, to).map((at) => standingAt(facts, at))
  const [first, ...others] = standings.filter(({ kind }) => kind !== 'due')
  if (first) {
    const orElse = new Set(others.flatMap(({ kind }) => (kind === first.kind ? [] : [kind])))
    return { ...decide(first, ofTheRun), ...(orElse.size > 0 ? { orElse: [...orElse] } : {}) }
  }
  // A permit without a time was perhaps written after the run.
  const standing = standingAt(facts, to, { withUndated: false })
  const because = lastGivenBack(facts, run) ? 'given_back' : 'passed_over'
  const passedOver: Verdict = { outcome: 'not_reached', because }
  return { ...decide(standing, passedOver), ...(standing.kind === 'due' ? {} : { countsOnUndated: true }) }
}
