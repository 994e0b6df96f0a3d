import type { SendResult } from '../wechat/client.js'
import { type Policy, policyOf } from './policy.js'
import type { Verdict } from './verdict.js'

export interface Halt {
  state: 'halted' | 'paused'
  /** Cause and remedy, for the operator. */
  reason: string
  /** It will pass: the schedule goes on with the run by itself. */
  passing?: true
}

/** Stops a run before a mistake of ours, or an outage, has gone through all users. */
export interface Brake {
  /** Takes note of an answer. Once it has answered a halt it keeps to it. */
  observe(result: SendResult, verdict: Verdict): void
  /** No request is under way any more. */
  drained(): void
  readonly halt: Halt | undefined
  /** Whether WeChat has judged a message at all, and was not just busy, silent or out of reach. */
  readonly answered: boolean
  /** Whether it has taken one: template, page, data and the rest are as it wants them. */
  readonly accepted: boolean
  /**
   * Messages that were lost in doubt since the last one that WeChat judged. With any, no request may start before one that
   * is under way is judged; if none of them is, one alone may probe after a single doubt, and after two the run pauses.
   * So an outage costs the requests under way and no more, or two.
   */
  readonly doubts: number
}

const IN_A_ROW = 5
/** Looked at for a rise of refusals: among the last so many messages that ended, more than half, and twice the normal. */
const WINDOW = 100
const REFUSED_SHARE = 0.5

type Streak = Exclude<Policy['brake'], 'go_on' | 'quota'>

/**
 * Halts on a configuration code before anything was accepted, or on five bad answers of one kind in a row; a single
 * late one is recorded and passed over (40037 was reported to come and go within minutes). Pauses on a spent quota, and
 * while WeChat takes nothing: five messages in a row that have used up their attempts, which is about half a minute, or
 * messages in doubt for good with nothing left under way that could still be answered.
 * Halts as well when most users refuse all of a sudden: that was seen as a fault of the platform, in the middle of large
 * runs (43101), and it is what open_ids of another app look like (40003). `normalRefusals` is the account's usual share.
 */
export function createBrake(normalRefusals = 0): Brake {
  let halt: Halt | undefined
  let accepted = false
  let answered = false
  let doubts = 0
  let lastOutage = ''
  let streak: { kind: Streak; length: number } | undefined

  const refusals: boolean[] = []
  const mostRefusals = WINDOW * Math.min(0.95, Math.max(REFUSED_SHARE, 2 * normalRefusals))

  /** Whether refusals have risen far above the normal, now that one more message has ended. */
  function hasRisen(refused: boolean): boolean {
    refusals.push(refused)
    if (refusals.length < WINDOW) return false
    if (refusals.length > WINDOW) refusals.shift()
    return refusals.filter(Boolean).length > mostRefusals
  }

  function count(kind: Streak): number {
    streak = { kind, length: streak?.kind === kind ? streak.length + 1 : 1 }
    return streak.length
  }

  function pause(): void {
    halt = {
      state: 'paused',
      reason: `WeChat takes no messages just now: ${lastOutage}. The service tries again each minute while the sending window is open.`,
      passing: true,
    }
  }

  function observeOutage(verdict: Verdict): void {
    if (verdict.kind === 'unknown') doubts++
    const hasEnded = verdict.kind !== 'retry' || verdict.exhausted === true
    if (hasEnded && count('outage') >= IN_A_ROW) pause()
  }

  return {
    get halt() {
      return halt
    },
    get answered() {
      return answered
    },
    get accepted() {
      return accepted
    },
    get doubts() {
      return doubts
    },
    drained() {
      if (!halt && doubts > (answered ? 1 : 0)) pause()
    },
    observe(result, verdict) {
      if (halt) return
      if (verdict.kind === 'delivered') accepted = true
      const answer = describe(result)
      const { brake, blame } = policyOf(result)
      if (brake !== 'outage') {
        answered = true
        doubts = 0
      }
      switch (brake) {
        case 'outage':
          lastOutage = answer
          return observeOutage(verdict)
        case 'quota':
          halt = { state: 'paused', reason: answer }
          return
        case 'mistake':
          if (count('mistake') >= IN_A_ROW || !accepted) halt = { state: 'halted', reason: answer }
          return
        case 'strange':
          if (count('strange') >= IN_A_ROW)
            halt = { state: 'halted', reason: `${answer} (${IN_A_ROW} times in a row)` }
          return
        case 'go_on':
          streak = undefined
          if (hasRisen(blame === 'user'))
            halt = {
              state: 'halted',
              reason: `Most users of late were refused: ${answer} Look why, then run remind again.`,
            }
      }
    },
  }
}

function describe(result: SendResult): string {
  if (result.kind === 'accepted') return 'accepted'
  if (result.kind !== 'refused') return `${result.kind}: ${result.reason}`
  const { errcode, entry } = result
  return `${errcode} ${entry.name}: ${entry.meaning} ${entry.meaning_zh}`
}
