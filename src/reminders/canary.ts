import type { Brake } from '../messages/brake.js'

/**
 * The first message of a run goes alone, so that a wrong template or secret costs one request. Its refusal may be the
 * user's own (a dead permit, a block) and says little about the template, so the next one goes alone as well. But not
 * forever: these users may be strangers who mean to hold up the run.
 */
const MAX_CANARIES = 3

export interface Canary {
  /** Messages may go out in batches. */
  readonly isPassed: boolean
  /** Only the message that WeChat has not judged may go out, again. */
  readonly mustRepeat: boolean
  /** Called when messages go out. */
  goesOut(): void
  /**
   * Waits for a message that went out alone, and looks at the answer. Resolves to false if the delivery was stopped
   * meanwhile.
   */
  settle(idle: () => Promise<boolean>): Promise<boolean>
  /** The same message cannot go out again soon: another one may. */
  tryAnother(): void
}

export function createCanary(brake: Brake): Canary {
  let state: 'to_send' | 'sent' | 'to_repeat' | 'passed' = 'to_send'
  let judged = 0
  return {
    get isPassed() {
      return state === 'passed'
    },
    get mustRepeat() {
      return state === 'to_repeat'
    },
    goesOut() {
      if (state !== 'passed') state = 'sent'
    },
    async settle(idle) {
      if (state !== 'sent') return true
      if (!(await idle())) return false
      // In an outage the same message goes out again: each other user would only add one more doubt.
      if (!brake.answered) state = 'to_repeat'
      else state = brake.accepted || ++judged >= MAX_CANARIES ? 'passed' : 'to_send'
      return true
    },
    tryAnother() {
      state = 'to_send'
    },
  }
}
