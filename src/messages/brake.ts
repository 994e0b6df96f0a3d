import type { SendResult } from '../wechat/client.js'
import type { Verdict } from './verdict.js'

export interface Halt {
  state: 'halted' | 'paused'
  /** Cause and remedy, for the operator. */
  reason: string
}

/** Stops a run before a mistake of ours, or an outage, has gone through all users. */
export interface Brake {
  /** Takes note of an answer. Once it has answered a halt it keeps to it. */
  observe(result: SendResult, verdict: Verdict): void
  readonly halt: Halt | undefined
}

const IN_A_ROW = 5
/** Looked at for a rise of refusals: among the last so many messages that ended, more than half, and twice the normal. */
const WINDOW = 100
const REFUSED_SHARE = 0.5

type Streak = 'configuration' | 'unknown_code' | 'exhausted'

/**
 * Halts on a configuration code before anything was accepted, or on five bad answers of one kind in a row; a single
 * late one is recorded and passed over (40037 was reported to come and go within minutes). Pauses on a spent quota.
 * Halts as well when most users refuse all of a sudden: that was seen as a fault of the platform, in the middle of large
 * runs (43101), and it is what open_ids of another app look like (40003). `normalRefusals` is the account's usual share.
 */
export function createBrake(normalRefusals = 0): Brake {
  let halt: Halt | undefined
  let accepted = false
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

  return {
    get halt() {
      return halt
    },
    observe(result, verdict) {
      if (halt) return
      if (verdict.kind === 'delivered') accepted = true
      const answer = describe(result)
      const kind = result.kind === 'refused' ? result.entry.class : result.kind
      if (kind === 'quota') {
        halt = { state: 'paused', reason: answer }
      } else if (kind === 'configuration' || kind === 'token') {
        if (count('configuration') >= IN_A_ROW || !accepted) halt = { state: 'halted', reason: answer }
      } else if (kind === 'unknown') {
        if (count('unknown_code') >= IN_A_ROW) {
          halt = { state: 'halted', reason: `${answer} (${IN_A_ROW} times in a row)` }
        }
      } else if (verdict.kind === 'give_back' || verdict.kind === 'unknown') {
        if (count('exhausted') >= IN_A_ROW) {
          halt = {
            state: 'halted',
            reason: `WeChat took no message for half a minute: ${answer}. Run remind again later.`,
          }
        }
      } else if (verdict.kind !== 'retry') {
        streak = undefined
        if (hasRisen(kind === 'user')) {
          halt = {
            state: 'halted',
            reason: `Most users of late were refused: ${answer} Look why, then run remind again.`,
          }
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
