import type { Knex } from 'knex'
import { recountCounter, setLastDateBack } from '../books/index.js'
import { MAX_LIST } from '../db/sql.js'
import { inTransaction } from '../db/transaction.js'
import { businessDate } from '../lib/business-date.js'
import { DAY_MS } from '../lib/durations.js'
import { groupBy } from '../lib/group-by.js'
import { sortedUnique } from '../lib/sorted.js'
import { toJson } from '../lib/user-id.js'
import { takeUp } from '../messages/lease-store.js'
import { followStates } from '../messages/submitted-store.js'
import { deleteSubmitted } from '../retention/store.js'
import { findYoungerSpentFirst } from './oldest-first-store.js'
import { findWrongOutcomes } from './outcome-store.js'
import { recountOutcomes } from './recount-outcomes.js'
import * as store from './store.js'

export interface AuditCheck {
  name: string
  ok: boolean
  /** The rows that break the rule, at most MAX_VIOLATIONS of them. */
  violations: object[]
}

export interface AuditReport {
  ok: boolean
  checks: AuditCheck[]
  /** Counters that were recounted, with --fix. */
  fixed: number
  /** Users whose last_date was in the future and no longer is, with --fix. */
  fixed_dates: number
  /** Messages that can be taken over again, with --fix. */
  fixed_messages: number
  /** Submitted messages whose end was recorded again, or of which nothing was left but that, with --fix. */
  fixed_ends: number
  /** Runs whose outcomes, and totals, were counted again, with --fix. */
  fixed_outcomes: number
}

const MAX_VIOLATIONS = 1_000
/** No message is purged before twice this time has passed. */
const TOTALS_MS = 7 * DAY_MS
/** No account's clock shows a later day than this zone's. */
const EARLIEST_ZONE = 'Pacific/Kiritimati'
/** The zone of the programs that wrote last_date by hand. */
const CHINA = 'Asia/Shanghai'

/**
 * Proves from the data of one account, or of all if `appId` is left out, that counters are exact, nobody was reminded twice
 * on a day, the oldest permits went first, each spent permit has its message, each message goes to the open_id that gave
 * its permit, the totals of ended runs and the outcomes of all runs are those of their messages, no message is stranded, and
 * no last_date keeps a user from being reminded. Reads without locks; beside a busy service a row may be seen in two states, so each finding
 * is checked a second time before it counts.
 */
export async function audit(db: Knex, now: number, fix: boolean, appId?: string): Promise<AuditReport> {
  const fixed = fix ? await fixCounters(db, now, appId) : 0
  const latest = businessDate(now, EARLIEST_ZONE)
  const fixed_dates = fix ? await fixFutureDates(db, latest, now, appId) : 0
  const fixed_messages = fix ? await fixStranded(db, now, appId) : 0
  const fixed_ends = fix ? await fixEnds(db, now, appId) : 0
  const since = now - TOTALS_MS
  const fixed_outcomes = fix ? await recountOutcomes(db, since, appId) : 0
  const checks = [
    await check('counter_is_exact', () => store.findWrongCounters(db, MAX_VIOLATIONS, appId)),
    await check('one_reminder_per_day', () => store.findDoubleReminders(db, MAX_VIOLATIONS, appId)),
    await check('oldest_permit_first', () => findYoungerSpentFirst(db, since, MAX_VIOLATIONS, appId)),
    await check('spent_permit_has_message', () => store.findSpentWithoutMessage(db, MAX_VIOLATIONS, appId)),
    await check('message_has_permit', () => store.findMessagesWithoutPermit(db, MAX_VIOLATIONS, appId)),
    await check('permit_goes_to_its_giver', () => store.findWrongReceivers(db, MAX_VIOLATIONS, appId)),
    await check('totals_of_ended_runs', () => store.findWrongTotals(db, since, MAX_VIOLATIONS, appId)),
    await check('outcomes_are_those_of_messages', () =>
      findWrongOutcomes(db, { since, appId }, MAX_VIOLATIONS),
    ),
    await check('open_message_will_go_on', () => store.findStranded(db, MAX_VIOLATIONS, appId)),
    await check('submitted_message_ended_as_it_says', () =>
      store.findDisagreeingEnds(db, MAX_VIOLATIONS, appId),
    ),
    await check('last_date_is_past', () => store.findFutureDates(db, latest, MAX_VIOLATIONS, appId)),
  ]
  return {
    ok: checks.every(({ ok }) => ok),
    checks,
    fixed,
    fixed_dates,
    fixed_messages,
    fixed_ends,
    fixed_outcomes,
  }
}

async function check(name: string, find: () => Promise<object[]>): Promise<AuditCheck> {
  const first = await find()
  if (first.length === 0) return { name, ok: true, violations: [] }
  const seen = new Set(first.map((row) => toJson(row)))
  const violations = (await find()).filter((row) => seen.has(toJson(row)))
  return { name, ok: violations.length === 0, violations }
}

/** Counts permits again: they are the truth, and counters follow. */
async function fixCounters(db: Knex, now: number, appId?: string): Promise<number> {
  let fixed = 0
  for (;;) {
    const wrong = await store.findWrongCounters(db, MAX_VIOLATIONS, appId)
    if (wrong.length === 0) return fixed
    for (const { app_id, user_id } of wrong) {
      await inTransaction(db, (trx) => recountCounter(trx, app_id, user_id, now))
      fixed++
    }
  }
}

/**
 * A last_date in the future becomes the day of the last reminder on record, or today if there is none: they
 * may have been reminded.
 */
async function fixFutureDates(db: Knex, latest: number, now: number, appId?: string): Promise<number> {
  const today = businessDate(now, CHINA)
  let fixed = 0
  for (;;) {
    const users = await store.findFutureDates(db, latest, MAX_VIOLATIONS, appId)
    if (users.length === 0) return fixed
    for (const { app_id, user_id } of users)
      if (await setLastDateBack(db, { appId: app_id, userId: user_id, latest, today }, now)) fixed++
  }
}

/**
 * Lets the end of submitted messages follow their state, which is what sending goes by; what is left of a deleted one
 * goes.
 */
async function fixEnds(db: Knex, now: number, appId?: string): Promise<number> {
  const wrong = await store.findDisagreeingEnds(db, MAX_LIST, appId)
  if (wrong.length === 0) return 0
  const idsOf = (isGone: boolean): number[] =>
    sortedUnique(wrong.filter(({ state }) => (state === null) === isGone).map(({ message_id }) => message_id))
  const [left, gone] = [idsOf(false), idsOf(true)]
  await inTransaction(db, async (trx) => {
    if (left.length > 0) await followStates(trx, left, now)
    if (gone.length > 0) await deleteSubmitted(trx, gone)
  })
  return wrong.length + (wrong.length === MAX_LIST ? await fixEnds(db, now, appId) : 0)
}

/** Lets whoever looks next take over messages whose claim or retry someone has deleted by hand. */
async function fixStranded(db: Knex, now: number, appId?: string): Promise<number> {
  let fixed = 0
  for (;;) {
    const stranded = await store.findStranded(db, MAX_LIST, appId)
    if (stranded.length === 0) return fixed
    for (const group of groupBy(stranded, ({ app_id, kind }) => `${kind} ${app_id}`).values()) {
      const [first] = group
      if (!first) continue
      const idsOf = (isWaiting: boolean): number[] =>
        sortedUnique(
          group.filter(({ state }) => (state === 'retry') === isWaiting).map(({ message_id }) => message_id),
        )
      await inTransaction(db, (trx) =>
        takeUp(trx, first.app_id, { inHand: idsOf(false), waiting: idsOf(true), kind: first.kind }, now),
      )
    }
    fixed += stranded.length
  }
}
