import type { Knex } from 'knex'
import type { Account } from '../account.js'
import type { Bilingual } from '../lib/bilingual.js'
import { businessDate } from '../lib/business-date.js'
import { isoTime } from '../lib/iso-time.js'
import { quotaLeft } from '../messages/quota.js'
import type { RunStatus } from './status-schemas.js'

/** What is left of the quota of sends today; null for another day, or if WeChat has never told it. */
export async function findQuotaStatus(
  db: Knex,
  account: Account,
  date: number,
  now: number,
): Promise<RunStatus['quota']> {
  if (date !== businessDate(now, account.timezone)) return null
  const quota = await quotaLeft(db, account, now)
  if (!quota) return null
  const { path, dailyLimit, left, reserved, askedAt } = quota
  const note = left < reserved ? describeShort(left, reserved) : undefined
  return {
    path,
    daily_limit: dailyLimit,
    left,
    reserved,
    asked_at: isoTime(askedAt),
    enough: note === undefined,
    note: note?.en ?? null,
    note_zh: note?.zh ?? null,
  }
}

function describeShort(left: number, reserved: number): Bilingual {
  return {
    en: `WeChat takes ${left} more messages today, and ${reserved} reminders are still planned. The run pauses when the quota is used up, and nobody loses a permit. Raise the quota in the WeChat console, or leave the rest to tomorrow.`,
    zh: `今天微信还接收 ${left} 条消息，而计划中还有 ${reserved} 条提醒。额度用完时任务会暂停，凭证都保留。可在微信后台提升额度，或留到明天。`,
  }
}
