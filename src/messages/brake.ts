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

type Streak = 'configuration' | 'unknown_code' | 'exhausted'

/**
 * Halts on a configuration code before anything was accepted, or on five bad answers of one kind in a row; a single
 * late one is recorded and passed over (40037 was reported to come and go within minutes). Pauses on a spent quota.
 */
export function createBrake(): Brake {
  let halt: Halt | undefined
  let accepted = false
  let streak: { kind: Streak; length: number } | undefined

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
