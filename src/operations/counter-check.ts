import type { Knex } from 'knex'
import { MAX_USER_ID, type UserId } from '../lib/user-id.js'
import { defineJob, EVERY_MINUTE, type Job } from '../schedule/job.js'
import * as store from './counter-store.js'

/**
 * A page is so many users at most, or as many as have so many permits, spent ones included: 10 to 20 ms on MariaDB.
 * With ten pages a minute a million users with five permits each are through in two hours, for half a percent of one
 * core of the database.
 */
const PAGE = { users: 1_000, permits: 10_000 }
const PAGES_AT_ONCE = 10
/** More wrong counters than this are no accident of a few rows: the audit finds them all. */
const MAX_WRONG = 500
/** Before the first user: ids begin at 0. */
const START = -1

/** What this process has found so far. */
export interface CounterFindings {
  /** Users whose counter was wrong at the last look, at most 500. */
  wrong: number
  /** Whole passes through all users. */
  passes: number
}

/** Proves the rule "the counter is exact" bit by bit beside the work; the audit proves it all at once. */
export interface CounterCheck {
  /** Looks again at the users that were wrong, then at the next pages of users. */
  checkNext(signal: AbortSignal): Promise<void>
  findings(): CounterFindings
}

export function createCounterCheck(db: Knex, appId: string): CounterCheck {
  let after: UserId = START
  let wrong: UserId[] = []
  let passes = 0

  async function checkPage(): Promise<void> {
    const end = await store.findPageEnd(db, appId, after, PAGE)
    const found = await store.findWrongInRange(db, appId, { after, upTo: end ?? MAX_USER_ID }, MAX_WRONG)
    wrong = [...new Set([...wrong, ...found])].slice(0, MAX_WRONG)
    if (end === undefined) passes++
    after = end ?? START
  }

  return {
    async checkNext(signal) {
      wrong = await store.findStillWrong(db, appId, wrong)
      for (let page = 0; page < PAGES_AT_ONCE && !signal.aborted; page++) {
        await checkPage()
        if (after === START) return
      }
    },
    findings: () => ({ wrong: wrong.length, passes }),
  }
}

export function countersJob(check: CounterCheck): Job {
  return defineJob({
    name: 'counters',
    ticks: [EVERY_MINUTE],
    findDue: async () => check,
    run: (_, signal) => check.checkNext(signal),
  })
}
