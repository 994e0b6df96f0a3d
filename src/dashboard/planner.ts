import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { businessDate } from '../lib/business-date.js'
import { withDeadline } from '../lib/deadline.js'
import { MINUTE_MS } from '../lib/durations.js'
import { type Plan, planRun } from '../reminders/plan.js'

export interface CountedPlan {
  plan: Plan
  at: number
}

/** Plans are of this moment: an older one is counted again. */
const KEEP_MS = MINUTE_MS
/** A small account is counted by then; the page of a large one comes without and asks again. */
const WAIT_MS = 60

/**
 * Counts what a run would do now. With a million users that takes seconds, so a page does not wait for it; one count at
 * a time, in this process.
 */
export function createPlanner(db: Knex, account: Account, now: () => number) {
  let kept: CountedPlan | undefined
  let underWay: Promise<CountedPlan> | undefined

  async function count(): Promise<CountedPlan> {
    const at = now()
    kept = { plan: await planRun(db, account, businessDate(at, account.timezone), at), at }
    return kept
  }

  return {
    /** The plan, or undefined while it is being counted. Rejects if the database cannot be asked. */
    async look(): Promise<CountedPlan | undefined> {
      if (kept && Math.abs(now() - kept.at) < KEEP_MS) return kept
      underWay ??= count().finally(() => {
        underWay = undefined
      })
      const counting = underWay
      // The next look asks for what this one did not wait for, and meets its error.
      counting.catch(() => {})
      return withDeadline(counting, WAIT_MS).catch((error: unknown) => {
        if (underWay === counting) return undefined
        throw error
      })
    },
  }
}
