import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { businessDate } from '../lib/business-date.js'
import { firingsOn, parseCron } from '../lib/cron.js'
import { keptSendQuota, type QuotaReading, quotaDay } from '../platform/quota.js'
import type { Allowance } from './quota-count.js'
import * as store from './quota-store.js'
import { windowEnd } from './window.js'

/** What is known of today's quota of the send path. All numbers are calls to WeChat. */
export interface SendQuota {
  path: string
  dailyLimit: number
  /** When WeChat told it, in ms; it may have been on another day. */
  askedAt: number
  /** Left at this moment: what WeChat told, less what has gone out since. Calls of other programs are not known. */
  left: number
  /** Reminders that today's run is still to send: nobody else gets these. */
  reserved: number
}

type Sender = Pick<Account, 'appId' | 'channel' | 'templateId' | 'timezone' | 'remindCron' | 'sendUntil'>

/**
 * What is left of today's quota; undefined if WeChat has never told. With the reading of an earlier day, a whole daily
 * limit less what went out today. Nobody is asked: a few rows by their keys.
 */
export async function quotaLeft(db: Knex, account: Sender, now: number): Promise<SendQuota | undefined> {
  const budget = await findBudget(db, account, now)
  if (!budget) return undefined
  const { reading, base, reserved, use } = budget
  const left = Math.max(0, base - ((await store.findTaken(db, use)) ?? 0))
  return { path: reading.path, dailyLimit: reading.dailyLimit, askedAt: reading.askedAt, left, reserved }
}

/**
 * What today's quota leaves submitted messages, over all processes together: they never reach into what today's reminders
 * need. undefined while WeChat has never told the quota: then nothing holds them back.
 */
export async function findAllowance(db: Knex, account: Sender, now: number): Promise<Allowance | undefined> {
  const budget = await findBudget(db, account, now)
  if (!budget) return undefined
  const { base, reserved, use } = budget
  const taken = await store.findTaken(db, use)
  if (taken === undefined) await store.beginCount(db, use)
  const allowed = base - reserved
  return { use, allowed, left: Math.max(0, allowed - (taken ?? 0)) }
}

interface Budget {
  reading: QuotaReading
  /** Left by the reading, less the reminders that went out since. */
  base: number
  reserved: number
  use: store.QuotaUse
}

async function findBudget(db: Knex, account: Sender, now: number): Promise<Budget | undefined> {
  const reading = await keptSendQuota(db, account)
  if (!reading) return undefined
  const { appId } = account
  const date = businessDate(now, account.timezone)
  const run = await store.findRunOfDay(db, appId, date)
  const isOfToday = quotaDay(reading.askedAt) === quotaDay(now)
  const ended = run?.ended ?? 0
  // Outside of China, the day of the quota ends within the day of the account.
  const wasBefore = run?.finished_at != null && quotaDay(run.finished_at) < quotaDay(now)
  const endedToday = wasBefore ? 0 : ended
  return {
    reading,
    base: isOfToday ? reading.remain - Math.max(0, ended - reading.ended) : reading.dailyLimit - endedToday,
    reserved: await stillPlanned(db, account, run, date, now),
    use: { appId, path: reading.path, since: `${quotaDay(now)}-${isOfToday ? reading.version : 0}` },
  }
}

const IS_OVER = new Set(['done', 'window_closed', 'missed'])

/** How many reminders today's run is still to send. A halted or paused run may go on until its window closes. */
async function stillPlanned(
  db: Knex,
  account: Sender,
  run: store.RunOfDay | undefined,
  date: number,
  now: number,
): Promise<number> {
  if (account.templateId === '' || now >= windowEnd(account, date)) return 0
  if (run && IS_OVER.has(run.state)) return 0
  if (!run && firingsOn(parseCron(account.remindCron), date, account.timezone).length === 0) return 0
  const planned = run?.planned ?? (await store.findForecastOf(db, account.appId, date)) ?? 0
  return Math.max(0, planned - (run?.ended ?? 0))
}
