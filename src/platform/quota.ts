import type { Knex } from 'knex'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Channel } from '../channel.js'
import { type BusinessDate, businessDate } from '../lib/business-date.js'
import { askQuota } from '../wechat/quota.js'
import { SEND_PATHS } from '../wechat/send-paths.js'
import { askOnce, type PlatformDeps } from './kept.js'
import { findKept, type KeptRow } from './store.js'

/** What WeChat said of the calls that the sending may make on a day. */
export interface QuotaReading {
  path: string
  dailyLimit: number
  used: number
  remain: number
  askedAt: number
  /** Reminders of the day that had ended by then: `used` has them. */
  ended: number
  /** Which reading it is; grows with each. */
  version: number
}

const KeptQuota = Compile(
  Type.Object({
    daily_limit: Type.Integer({ minimum: 0 }),
    used: Type.Integer({ minimum: 0 }),
    remain: Type.Integer({ minimum: 0 }),
    ended: Type.Integer({ minimum: 0 }),
  }),
)

/** The day that a quota is for: WeChat's quotas begin anew at midnight in Beijing. */
export function quotaDay(at: number): BusinessDate {
  return businessDate(at, 'Asia/Shanghai')
}

/**
 * Asks WeChat for the quota of the account's send path, unless what is kept will do. `ended` is how many reminders of the
 * day have ended. Bounded in time, see askOnce. Returns also why there was no answer to the last question.
 */
export async function askSendQuota(
  deps: PlatformDeps,
  { appId, channel }: { appId: string; channel: Channel },
  {
    askedFor,
    isFresh,
    ended,
  }: Pick<QuotaReading, 'ended'> & {
    askedFor: string
    isFresh(kept: KeptRow): boolean
  },
  signal: AbortSignal,
): Promise<{ reading: QuotaReading | undefined; failure: string | null; isNew: boolean }> {
  const path = SEND_PATHS[channel]
  const kept = await askOnce(
    deps,
    {
      appId,
      subject: subjectOf(path),
      askedFor,
      isFresh,
      async ask(until) {
        const answer = await askQuota(deps.auxiliary, path, until)
        return answer.kind === 'told'
          ? { answer: JSON.stringify({ ...answer.quota, ended }) }
          : { failure: answer.why }
      },
    },
    signal,
  )
  return { reading: toReading(path, kept), failure: kept.failure, isNew: kept.isNew }
}

/** The newest reading, of whichever day; nobody is asked. */
export async function keptSendQuota(
  db: Knex,
  { appId, channel }: { appId: string; channel: Channel },
): Promise<QuotaReading | undefined> {
  const path = SEND_PATHS[channel]
  const kept = await findKept(db, { appId, subject: subjectOf(path) })
  return kept && toReading(path, kept)
}

function subjectOf(path: string): string {
  return `quota:${path}`
}

function toReading(path: string, { answer, answered_at, version }: KeptRow): QuotaReading | undefined {
  if (answer === null || answered_at === null) return undefined
  const body = parse(answer)
  if (!KeptQuota.Check(body)) return undefined
  const { daily_limit, used, remain, ended } = body
  return { path, dailyLimit: daily_limit, used, remain, askedAt: answered_at, ended, version }
}

/** Somebody may have written into the row by hand. */
function parse(answer: string): unknown {
  try {
    return JSON.parse(answer)
  } catch {
    return undefined
  }
}
