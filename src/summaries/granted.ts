import type { Knex } from 'knex'
import { assignUnassigned } from '../books/index.js'
import { addDays, type BusinessDate, businessDate } from '../lib/business-date.js'
import { MINUTE_MS } from '../lib/durations.js'
import { groupBy } from '../lib/group-by.js'
import { addGranted } from './day-store.js'
import * as store from './granted-store.js'
import type { SummaryLease } from './lease.js'
import { findProgress, type SummaryProgress } from './lease-store.js'
import { createRest } from './rest.js'

/**
 * An id is counted a minute after it was the largest one: ids are given out before the commit, and a transaction that is
 * still open may commit a smaller one.
 */
const OPEN_MS = MINUTE_MS
/** Older permits are in no summary. */
const MAX_AGE_DAYS = 90

interface GrantedOf {
  account: { appId: string; timezone: string }
  lease: SummaryLease
  now: number
  signal: AbortSignal
}

/** Whether a count would find anything now. */
export function isCountDue(
  { permit_id, next_id, next_seen_at }: SummaryProgress,
  largest: number,
  now: number,
): boolean {
  if (next_id > permit_id) return now - next_seen_at >= OPEN_MS || now < next_seen_at
  return largest > next_id
}

/**
 * Adds the permits that came since the last count to the days on which they came. Rows without a time, as other programs
 * write them, count for the day on which they are found. The first count reads all permits there are.
 */
export async function countNewPermits(db: Knex, of: GrantedOf): Promise<number> {
  const { account, lease, now, signal } = of
  const { appId } = account
  await assignUnassigned(db, appId, now)
  const progress = (await findProgress(db, appId)) ?? NONE
  const largest = await store.findLargestId(db)
  let { next_id: upTo, first_id: firstId } = progress
  if (progress.next_seen_at === 0) {
    firstId = largest
    upTo = await store.findLargestBefore(db, now - OPEN_MS)
  } else if (upTo > progress.permit_id && !isCountDue(progress, largest, now)) return 0

  const counted = await countUpTo(db, of, { after: progress.permit_id, upTo, firstId })
  if (!signal.aborted)
    await lease.write((trx) => store.setNext(trx, appId, { nextId: largest, seenAt: now, firstId }))
  return counted
}

const NONE: SummaryProgress = {
  permit_id: 0,
  first_id: 0,
  next_id: 0,
  next_seen_at: 0,
  began_at: 0,
  ended_at: 0,
}

async function countUpTo(
  db: Knex,
  { account, lease, now, signal }: GrantedOf,
  { after, upTo, firstId }: { after: number; upTo: number; firstId: number },
): Promise<number> {
  const { appId } = account
  const rest = createRest(signal)
  let counted = 0
  for (let mark = after; mark < upTo && !signal.aborted; ) {
    const end = await store.findChunkEnd(db, mark, upTo)
    const rows = await store.countGranted(db, appId, { after: mark, upTo: end, firstId })
    // The mark moves with the sums, and only a process that still has the lease moves it: each permit counts once.
    await lease.write(async (trx) => {
      for (const [day, ofDay] of byDay(rows, account.timezone, now))
        await addGranted(trx, { appId, day }, sumOf(ofDay))
      await store.moveMark(trx, appId, end)
    })
    counted += rows.reduce((sum, { permits }) => sum + permits, 0)
    mark = end
    await rest()
  }
  return counted
}

function byDay(
  rows: store.GrantedRow[],
  timezone: string,
  now: number,
): Map<BusinessDate, store.GrantedRow[]> {
  const today = businessDate(now, timezone)
  const dayOf = ({ quarter }: store.GrantedRow): BusinessDate =>
    quarter <= 0 || quarter > now ? today : businessDate(quarter, timezone)
  const days = groupBy(rows, dayOf)
  for (const day of days.keys()) if (day < addDays(today, -MAX_AGE_DAYS)) days.delete(day)
  return days
}

function sumOf(rows: store.GrantedRow[]): { form: number; pay: number; subscribe: number } {
  const sum = { form: 0, pay: 0, subscribe: 0 }
  for (const { source, permits } of rows) sum[source] += permits
  return sum
}
