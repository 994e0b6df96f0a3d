import { MINUTE_MS } from '../lib/durations.js'

/**
 * Templates that are held up because WeChat refused several of their messages in a row for a mistake of ours: a wrong
 * template, page or key. The messages of other templates go on. Kept by each process for itself, so it costs each a few
 * requests to find out.
 */
export interface Holds {
  /** WeChat refused a message of this template for a reason that the next one may have as well. */
  refused(templateId: string, now: number): void
  /** WeChat judged a message of this template in any other way. */
  judged(templateId: string): void
  /** For how long its messages are held up, in ms; 0 = not at all. */
  heldFor(templateId: string, now: number): number
}

const IN_A_ROW = 5
/** After a hold, a single refusal begins the next one, twice as long: a mistake takes a person to mend it. */
const FIRST_HOLD_MS = MINUTE_MS
const LONGEST_HOLD_MS = 10 * MINUTE_MS

export function createHolds(): Holds {
  const templates = new Map<string, { inARow: number; holds: number; until: number }>()
  return {
    refused(templateId, now) {
      const { inARow, holds, until } = templates.get(templateId) ?? { inARow: 0, holds: 0, until: 0 }
      // What was under way when the hold began does not count again.
      if (now < until) return
      const refused = inARow + 1
      const isHeld = refused >= IN_A_ROW
      const holdMs = Math.min(LONGEST_HOLD_MS, FIRST_HOLD_MS * 2 ** holds)
      templates.set(templateId, {
        inARow: isHeld ? IN_A_ROW - 1 : refused,
        holds: isHeld ? holds + 1 : holds,
        until: isHeld ? now + holdMs : 0,
      })
    },
    judged: (templateId) => void templates.delete(templateId),
    heldFor: (templateId, now) => Math.max(0, (templates.get(templateId)?.until ?? 0) - now),
  }
}
