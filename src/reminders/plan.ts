import type { Knex } from 'knex'
import type { Account } from '../account.js'
import type { UserId } from '../lib/user-id.js'
import { reminderRenderer } from '../messages/text.js'
import { findRun } from '../runs/occurrences.js'
import { type Day, type DueUser, dayOf, findDue } from './due-store.js'
import * as store from './store.js'

/** What a run at a given moment would do, and whom it would pass over. Planning sends and writes nothing. */
export interface Plan {
  date: number
  due: number
  skipped: {
    signed_in: number
    /** WeChat accepted it, or `last_date` says so without a message of ours. */
    reminded_today: number
    failed_today: number
    unknown_today: number
    /** Claimed, being sent, or waiting for another attempt. */
    in_hand: number
    /** Opted out, or cannot be reached. */
    stopped: number
    /** Has permits, but none that is still valid then. */
    no_valid_permit: number
    no_permit: number
  }
  /** Users whose reminder of that day was given back unsent. They are also counted above, by where they stand now. */
  given_back: number
  /** The first reminders that would go out. */
  sample: { user_id: UserId; permit_id: number | null; data: Record<string, { value: string }> }[]
}

const SAMPLE = 10

/** Plans the run of `date` as if it were started at `at` (ms). */
export async function planRun(db: Knex, account: Account, date: number, at: number): Promise<Plan> {
  const { appId } = account
  const day = dayOf(account, date, at)
  const run = await findRun(db, { job: 'remind', appId, slot: date })
  const standings = await store.countStandings(db, appId, day)
  const sample = await findSample(db, appId, day, Math.min(SAMPLE, standings.due))
  const render = reminderRenderer(account.data, date)
  return {
    date,
    due: standings.due,
    skipped: {
      signed_in: standings.signed_in,
      reminded_today: standings.reminded,
      failed_today: standings.failed,
      unknown_today: standings.unknown,
      in_hand: standings.in_hand,
      stopped: standings.stopped,
      no_valid_permit: standings.no_valid_permit,
      no_permit: standings.no_permit,
    },
    given_back: run ? await store.countGivenBack(db, run.id, date) : 0,
    sample: sample.map(({ user_id, permit_id, streak }) => ({ user_id, permit_id, data: render(streak) })),
  }
}

/** The first `wanted` due users. Read page by page: they may come after a million who are not. */
async function findSample(db: Knex, appId: string, day: Day, wanted: number): Promise<DueUser[]> {
  const sample: DueUser[] = []
  for await (const page of store.pages(db, appId)) {
    if (sample.length >= wanted) break
    sample.push(...(await findDue(db, appId, page, day, wanted - sample.length)))
  }
  return sample
}
