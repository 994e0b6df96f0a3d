import type { Knex } from 'knex'
import { businessDate } from '../lib/business-date.js'
import type { Logger } from '../lib/logger.js'
import { userPages } from '../runs/user-pages.js'
import { type ForecastAccount, startForecast } from './compute.js'
import { type DaySums, daysToCount, startDay } from './day.js'
import { setDay } from './day-store.js'
import { KEPT_DAYS } from './forecast.js'
import { replaceForecast } from './forecast-store.js'
import { countNewPermits } from './granted.js'
import { LeaseLost, type SummaryLease, withLease } from './lease.js'
import { recordWhole } from './lease-store.js'
import { PAGE } from './profile-store.js'
import { createRest } from './rest.js'
import { createStockSums } from './stock.js'
import { replaceStock } from './stock-store.js'

export const SUMMARIZE = 'summarize'

export interface SummarizeDeps {
  db: Knex
  log: Logger
  now(): number
  signal: AbortSignal
}

export interface SummaryReport {
  /** New permits that were counted. */
  granted: number
  /** Days that were counted; none if only new permits were, or the work was stopped. */
  days: number[]
}

/**
 * Brings the kept summaries of an account up to date: new permits, and if `isWhole` forecast, stock and days, for which
 * it reads every user once, resting in between. Returns undefined if another process is at it. Stopped half-way, it
 * keeps the new permits counted so far and leaves the rest as it was.
 */
export async function summarize(
  deps: SummarizeDeps,
  account: ForecastAccount,
  { isWhole = true, onPage = () => {} }: { isWhole?: boolean; onPage?: (counters: number) => void } = {},
): Promise<SummaryReport | undefined> {
  const { db, log, signal, now } = deps
  const { appId } = account
  try {
    return await withLease(db, appId, async (lease) => {
      // The forecast first: the first count of new permits reads all that there are.
      const days = isWhole ? await keepWhole(deps, account, lease, onPage) : []
      const granted = await countNewPermits(db, { account, lease, now: now(), signal })
      if (isWhole)
        log.info({ event: 'summarize.done', app_id: appId, granted, days }, 'summaries are up to date')
      return { granted, days }
    })
  } catch (error) {
    if (!(error instanceof LeaseLost)) throw error
    log.warn({ event: 'summarize.lost', app_id: appId }, 'another process has taken over the summaries')
    return undefined
  }
}

async function keepWhole(
  { db, now, signal }: SummarizeDeps,
  account: ForecastAccount,
  lease: SummaryLease,
  onPage: (counters: number) => void,
): Promise<number[]> {
  const { appId, timezone } = account
  const beganAt = now()
  const forecast = startForecast(db, account, KEPT_DAYS, beganAt)
  const stock = createStockSums(db, appId, beganAt)
  const days: DaySums[] = []
  for (const day of await daysToCount(db, account, beganAt)) days.push(await startDay(db, account, day))
  const rest = createRest(signal)
  let pages = 0
  for await (const page of userPages(db, appId, PAGE)) {
    for (const sums of [forecast, stock, ...days]) await sums.addPage(page)
    if (signal.aborted) return []
    await lease.renew()
    onPage(++pages * PAGE)
    await rest()
  }
  const of = { appId, asOf: beganAt }
  await lease.write(async (trx) => {
    await replaceForecast(trx, { ...of, madeOn: businessDate(beganAt, timezone) }, forecast.result().days)
    await replaceStock(trx, of, stock.rows())
    for (const { day, counts } of days) await setDay(trx, { ...of, day }, counts())
    await recordWhole(trx, appId, { beganAt, endedAt: now() })
  })
  return days.map(({ day }) => day)
}
