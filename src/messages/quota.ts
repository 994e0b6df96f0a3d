import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { businessDate } from '../lib/business-date.js'
import { firingsOn, parseCron } from '../lib/cron.js'
import { keptSendQuota, type QuotaReading, quotaDay } from '../platform/quota.js'
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
  const left = Math.max(0, base - (await store.findTaken(db, use)))
  return { path: reading.path, dailyLimit: reading.dailyLimit, askedAt: reading.askedAt, left, reserved }
}

/**
 * How many of `wanted` submitted messages may be sent now. They are counted as sent, over all processes together, and
 * never reach into what today's reminders need. As many as are wanted while WeChat has never told the quota.
 */
export async function takeForSubmitted(
  db: Knex,
  account: Sender,
  wanted: number,
  now: number,
): Promise<number> {
  const budget = await findBudget(db, account, now)
  if (!budget || wanted <= 0) return wanted
  const { base, reserved, use } = budget
  const allowed = base - reserved
  if (await store.takeOf(db, use, wanted, allowed)) return wanted
  const rest = Math.min(wanted, allowed - (await store.findTaken(db, use)))
  // Another process may have been quicker: its messages go out, and ours wait for the next look.
  return rest > 0 && (await store.takeOf(db, use, rest, allowed)) ? rest : 0
}

/** Gives back what was taken for messages that did not go out. */
export async function giveBackOfQuota(db: Knex, account: Sender, unsent: number, now: number): Promise<void> {
  const budget = await findBudget(db, account, now)
  if (budget && unsent > 0) await store.giveBackTo(db, budget.use, unsent)
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
