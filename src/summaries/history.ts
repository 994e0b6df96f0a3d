import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { needsPermit } from '../channel.js'
import type { Bilingual } from '../lib/bilingual.js'
import { type BusinessDate, toIsoDate } from '../lib/business-date.js'
import type { RunState } from '../runs/run.js'
import { errcodeOf } from '../wechat/errcodes.js'
import { type DayRow, type DayRun, findRuns } from './day-store.js'
import { asOfToday, lastDays } from './flow.js'
import { type FailureRow, findFailures } from './history-store.js'

export interface HistoryDay {
  date: string
  /** Of the daily run; null: there was none. */
  state: RunState | null
  delivered: number
  failed: number
  unknown: number
  cancelled: number
  /** What failed, by the class of WeChat's code, or by its cause where there was no code. */
  failed_by_class: Record<string, number>
  /** Users to whom a reminder was delivered. */
  reminded: number
  /** Of these, those who signed in on that day after the run had begun. */
  reminded_signed_in: number
  /** Users without a reminder on that day who had not signed in when the run began. */
  others: number
  /** Of these, those who signed in on that day after that. */
  others_signed_in: number
}

export interface History {
  /** When today was counted, ISO 8601; null: not yet. */
  as_of: string | null
  days: HistoryDay[]
  /** What the comparison of reminded users with others can say, and what it cannot. */
  note: Bilingual
}

const NOTE_ON_PERMITS: Bilingual = {
  en: 'This is not an experiment. Reminded users still had a permit, so most of them had been here lately; many of the others had not, or had opted out. So a part of the difference is not due to the reminder. Both counts leave out who had signed in before the run began.',
  zh: '这不是对照实验。被提醒的用户手上还有凭证，说明多半近期来过；其他用户很多没来过，或已退订。因此两者的差距有一部分不是提醒带来的。任务开始前已签到的用户，两边都不计。',
}

const NOTE_ON_FOLLOWERS: Bilingual = {
  en: 'This is not an experiment. Reminded users follow the account and take its messages; of the others, many have left it or opted out. So a part of the difference is not due to the reminder. Both counts leave out who had signed in before the run began.',
  zh: '这不是对照实验。被提醒的用户仍关注服务号并接收消息；其他用户很多已取消关注或已退订。因此两者的差距有一部分不是提醒带来的。任务开始前已签到的用户，两边都不计。',
}

/**
 * How the last days went, today last, at most 90: what was delivered and what failed, and how many of the reminded and of
 * the others signed in. From kept sums and the totals of runs.
 */
export async function findHistory(
  db: Knex,
  account: Pick<Account, 'appId' | 'timezone' | 'channel'>,
  { days }: { days: number },
  now: number,
): Promise<History> {
  const rows = await lastDays(db, account, days, now)
  const span = { first: rows[0]?.day ?? 0, last: rows.at(-1)?.day ?? 0 }
  const runs = new Map((await findRuns(db, account.appId, span)).map((run) => [run.slot, run]))
  const failures = await findFailures(db, account.appId, span)
  return {
    as_of: asOfToday(rows),
    days: rows.map((row) => dayOf(row, runs.get(row.day), classesOf(failures, row.day))),
    note: needsPermit(account.channel) ? NOTE_ON_PERMITS : NOTE_ON_FOLLOWERS,
  }
}

function dayOf(row: DayRow, run: DayRun | undefined, failed_by_class: Record<string, number>): HistoryDay {
  return {
    date: toIsoDate(row.day),
    state: run?.state ?? null,
    delivered: run?.delivered ?? 0,
    failed: run?.failed ?? 0,
    unknown: run?.unknown ?? 0,
    cancelled: run?.cancelled ?? 0,
    failed_by_class,
    reminded: row.reminded,
    reminded_signed_in: row.reminded_signed_in,
    others: row.others,
    others_signed_in: row.others_signed_in,
  }
}

function classesOf(failures: FailureRow[], day: BusinessDate): Record<string, number> {
  const classes: Record<string, number> = {}
  for (const { slot, errcode, cause, messages } of failures) {
    if (slot !== day || Number(messages) === 0) continue
    const name = errcode === 0 ? cause : errcodeOf(errcode).class
    classes[name] = (classes[name] ?? 0) + Number(messages)
  }
  return classes
}
