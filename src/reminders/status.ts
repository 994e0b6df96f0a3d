import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { parseIsoDate, toIsoDate } from '../lib/business-date.js'
import { firingsOn, parseCron } from '../lib/cron.js'
import { SECOND_MS } from '../lib/durations.js'
import { groupBy } from '../lib/group-by.js'
import { isoTime } from '../lib/iso-time.js'
import { openToJson } from '../messages/open-messages.js'
import { countOpen } from '../messages/open-store.js'
import { windowEnd } from '../messages/window.js'
import { describeNotStarted } from './not-started.js'
import type { RunList, RunStatus } from './status-schemas.js'
import * as store from './status-store.js'
import { emptySummary, summaryOf } from './summary.js'

export type { RunError, RunList, RunStatus, RunSummary } from './status-schemas.js'

/** The earliest at which an end is foretold: what the first seconds show says little. */
const MIN_SHARE = 0.01
const MIN_ELAPSED_MS = 5 * SECOND_MS

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
  if (run?.slot !== date) return notStarted(account, date, now)
  const summary = summaryOf(run, await store.findOutcomes(db, [run.id]))
  const isOpen = summary.in_hand > 0 || summary.retrying > 0
  return {
    ...summary,
    next_firing_at: null,
    ...(await forecastOf(db, account, run, summary, now)),
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

type Forecast = Pick<RunStatus, 'progress' | 'rate_per_second' | 'expected_finish_at'>

const NO_FORECAST: Forecast = { progress: null, rate_per_second: null, expected_finish_at: null }

async function forecastOf(
  db: Knex,
  account: Account,
  run: store.RunRow,
  { delivered, failed, unknown }: Pick<RunStatus, 'delivered' | 'failed' | 'unknown'>,
  now: number,
): Promise<Forecast> {
  if (run.state !== 'running') return NO_FORECAST
  const share = await store.findShareRead(db, account.appId, run.id)
  const elapsed = now - run.started_at
  const ended = delivered + failed + unknown - run.settled_before
  // While it waits for WeChat, its ranges stand at their beginnings.
  const canTell =
    run.reason === null && share !== undefined && share >= MIN_SHARE && elapsed >= MIN_ELAPSED_MS
  const finish = canTell ? now + (elapsed * (1 - share)) / share : undefined
  return {
    progress: share === undefined ? null : Math.round(share * 1_000) / 1_000,
    rate_per_second: elapsed >= SECOND_MS ? Math.round((ended * 10 * SECOND_MS) / elapsed) / 10 : null,
    expected_finish_at: isoTime(finish && Math.min(Math.round(finish), windowEnd(account, run.slot))),
  }
}

function notStarted(account: Account, date: number, now: number): RunStatus {
  const firings = firingsOn(parseCron(account.remindCron), date, account.timezone)
  return {
    ...emptySummary(date),
    ...describeNotStarted(account, date, firings, now),
    next_firing_at: isoTime(firings.find((firing) => firing > now)),
    ...NO_FORECAST,
    open: null,
  }
}
