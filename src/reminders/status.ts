import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { parseIsoDate, toIsoDate } from '../lib/business-date.js'
import { firingsOn, parseCron } from '../lib/cron.js'
import { groupBy } from '../lib/group-by.js'
import { isoTime } from '../lib/iso-time.js'
import { openToJson } from '../messages/open-messages.js'
import { countOpen } from '../messages/open-store.js'
import { describeNotStarted } from './not-started.js'
import { findQuotaStatus } from './quota-status.js'
import { foretellEnd, NO_FORECAST } from './run-forecast.js'
import type { RunList, RunStatus } from './status-schemas.js'
import * as store from './status-store.js'
import { emptySummary, summaryOf } from './summary.js'

export type { RunError, RunList, RunStatus, RunSummary } from './status-schemas.js'

/**
 * How the run of a day went, goes, or is going to be started. True at any moment, whichever processes work on it. Sends
 * and writes nothing, and reads a bounded number of rows, however many messages there are.
 */
export async function findRunStatus(
  db: Knex,
  account: Account,
  date: number,
  now: number,
): Promise<RunStatus> {
  const [run] = await store.findRuns(db, account.appId, date + 1, 1)
  const quota = await findQuotaStatus(db, account, date, now)
  if (run?.slot !== date) return notStarted(account, date, quota, now)
  const summary = summaryOf(run, await store.findOutcomes(db, [run.id]))
  const isOpen = summary.in_hand > 0 || summary.retrying > 0
  return {
    ...summary,
    next_firing_at: null,
    ...(await foretellEnd(db, account, run, { ...summary, quota }, now)),
    quota,
    open: isOpen ? openToJson(await countOpen(db, account.appId, now)) : null,
  }
}

/** The runs before the day `before` (YYYY-MM-DD), newest first; from the newest on if it is left out. */
export async function listRuns(
  db: Knex,
  { appId }: Pick<Account, 'appId'>,
  { limit, before }: { limit: number; before?: string | undefined },
): Promise<RunList> {
  const until = (before === undefined ? undefined : parseIsoDate(before)) ?? Number.MAX_SAFE_INTEGER
  const runs = await store.findRuns(db, appId, until, limit)
  const ids = runs.map(({ id }) => id)
  const outcomes = groupBy(await store.findOutcomes(db, ids), ({ run_id }) => run_id)
  const last = runs.length === limit ? runs.at(-1) : undefined
  return {
    runs: runs.map((run) => summaryOf(run, outcomes.get(run.id) ?? [])),
    next: last ? toIsoDate(last.slot) : null,
  }
}

function notStarted(account: Account, date: number, quota: RunStatus['quota'], now: number): RunStatus {
  const firings = firingsOn(parseCron(account.remindCron), date, account.timezone)
  return {
    ...emptySummary(date),
    ...describeNotStarted(account, date, firings, now),
    next_firing_at: isoTime(firings.find((firing) => firing > now)),
    ...NO_FORECAST,
    quota,
    open: null,
  }
}
