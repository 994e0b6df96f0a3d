import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { ServiceError } from '../errors.js'
import { addDays, type BusinessDate, businessDate, timeOn, toIsoDate } from '../lib/business-date.js'
import { type UserId, userIdToJson } from '../lib/user-id.js'
import { oldestKept } from '../sign-ins/sign-in.js'
import { verdictOfDayAhead } from './explain-ahead.js'
import { type Check, checksOf } from './explain-checks.js'
import type { Facts } from './explain-facts.js'
import { verdictOfPast } from './explain-past.js'
import { comingToday, scheduleOf } from './explain-schedule.js'
import { sentenceOf } from './explain-sentences.js'
import { standingNow } from './explain-standing.js'
import * as store from './explain-store.js'
import { decide, type Outcome, type Verdict, verdictOfComing, verdictOfRecord } from './explain-verdict.js'

/** The account, and how long its rows are kept: what happened before that is no longer known. */
export interface ExplainedAccount extends Account {
  retentionDays: number
}

/** Why a user was, was not, will or will not be reminded on a day. The answer of HTTP and command line. */
export interface Explanation {
  user_id: number | string
  date: string
  outcome: Outcome
  sentence: string
  sentence_zh: string
  /** In the order in which they decide: the outcome is that of the first one that is not ok. */
  checks: Check[]
}

/** Days further ahead are refused: each day before the one asked for is worked out. */
export const MAX_DAYS_AHEAD = 366

/**
 * Explains one user's reminder of one day: a past day from what was on record then, today and later days from live
 * data. Writes nothing, and reads a few rows of this user and of that day's run. Throws `invalid_request` for a day
 * more than MAX_DAYS_AHEAD ahead.
 */
export async function explainUser(
  db: Knex,
  account: ExplainedAccount,
  userId: UserId,
  date: BusinessDate,
  now: number,
): Promise<Explanation> {
  const today = businessDate(now, account.timezone)
  assertNear(date, today)
  const facts = await findFacts(db, account, userId, date > today ? today : date, now)
  const verdict = verdictOf(account, facts, date, now)
  const told = { account, facts, verdict, date, now }
  const sentence = sentenceOf(told)
  return {
    user_id: userIdToJson(userId),
    date: toIsoDate(date),
    outcome: verdict.outcome,
    sentence: sentence.en,
    sentence_zh: sentence.zh,
    checks: checksOf(told),
  }
}

function assertNear(date: BusinessDate, today: BusinessDate): void {
  const last = addDays(today, MAX_DAYS_AHEAD)
  if (date <= last) return
  throw new ServiceError(
    'invalid_request',
    `date: ${toIsoDate(date)} is more than ${MAX_DAYS_AHEAD} days ahead; the last day is ${toIsoDate(last)}`,
    { field: 'date' },
  )
}

function verdictOf(account: ExplainedAccount, facts: Facts, date: BusinessDate, now: number): Verdict {
  if (date > facts.date) {
    if (!facts.isKnown) return { outcome: 'not_known', because: 'never_seen' }
    const coming = comingToday(scheduleOf(account, facts.date), facts.run, now)
    return verdictOfDayAhead(account, date, { today: facts, coming })
  }
  const ofRecord = verdictOfRecord(facts)
  if (ofRecord) return ofRecord
  const today = businessDate(now, account.timezone)
  return date < today ? verdictOfDayBefore(account, facts, now) : verdictOfToday(account, facts, now)
}

function verdictOfToday(account: Account, facts: Facts, now: number): Verdict {
  if (facts.counter && facts.counter.last_date > facts.date)
    return { outcome: 'reminded', because: 'last_date' }
  const schedule = scheduleOf(account, facts.date)
  if (account.templateId === '' && !facts.run)
    return decide(standingNow(facts, now), { outcome: 'not_reached', because: 'no_template' })
  const coming = account.templateId === '' ? undefined : comingToday(schedule, facts.run, now)
  return coming
    ? verdictOfComing(coming, (at) => standingNow(facts, at))
    : verdictOfPast(facts, schedule, now)
}

function verdictOfDayBefore(account: ExplainedAccount, facts: Facts, now: number): Verdict {
  const { date, run, firstRun } = facts
  if (date <= oldestKept(now, account.retentionDays, account.timezone))
    return { outcome: 'not_known', because: 'purged' }
  if (!run && (firstRun === undefined || date < firstRun))
    return { outcome: 'not_known', because: 'before_first_run' }
  return verdictOfPast(facts, scheduleOf(account, date), now)
}

/** A person may have been known, by a login or an event, before it was bound to the user: the counter is of that moment. */
function boundSince(knownSince: number | undefined, counter: Facts['counter']): number | undefined {
  return knownSince === undefined ? undefined : Math.max(knownSince, counter?.created_at ?? 0)
}

/** Reads what is on record about the user and one day, today or earlier. */
async function findFacts(
  db: Knex,
  account: Account,
  userId: UserId,
  date: BusinessDate,
  now: number,
): Promise<Facts> {
  const of = { appId: account.appId, userId }
  const dayBegan = timeOn(date, 0, 0, account.timezone)
  const run = await store.findRunFor(db, of, date)
  const sentWith = run && (await store.findSentWith(db, run.id))
  const counter = await store.findCounter(db, of)
  // Settings of today say nothing of a run that is over.
  const { channel, templateId } = date < businessDate(now, account.timezone) && sentWith ? sentWith : account
  return {
    userId,
    date,
    isKnown: await store.isKnown(db, of),
    message: await store.findMessage(db, of, date),
    counter,
    ...(await store.findPermits(db, of)),
    stops: await store.findStops(db, { ...of, templateId }, Math.min(now, dayBegan)),
    signIn: await store.findSignIn(db, of, date),
    boundSince: boundSince(await store.findKnownSince(db, of), counter),
    run,
    givenBack: run && (await store.findGivenBack(db, of, run.id)),
    firstRun: await store.findFirstRun(db, account.appId),
    sentWith: { channel, templateId },
  }
}
