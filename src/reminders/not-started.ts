import type { Account } from '../account.js'
import type { Bilingual } from '../lib/bilingual.js'
import { businessDate } from '../lib/business-date.js'
import { windowEnd } from '../messages/window.js'
import type { RunStatus } from './status-schemas.js'

interface Why {
  reason: Bilingual
  remedy: Bilingual | null
}

const NO_TEMPLATE: Why = {
  reason: { en: 'There is no template, so nothing is sent.', zh: '没有设置模板，不会发送。' },
  remedy: { en: 'Set REMINDER_TEMPLATE_ID.', zh: '设置 REMINDER_TEMPLATE_ID。' },
}
const NO_FIRING: Why = {
  reason: { en: 'REMIND_CRON has no firing on this day.', zh: '按 REMIND_CRON，这一天不提醒。' },
  remedy: null,
}
const NOT_YET: Why = {
  reason: { en: 'Its time has not come.', zh: '还没到时间。' },
  remedy: null,
}
const LATE: Why = {
  reason: { en: 'Its time has come, and no process has started it.', zh: '时间已到，但没有进程启动它。' },
  remedy: {
    en: 'Start `serve`, which catches up while the sending window is open, or run remind.',
    zh: '启动 `serve`（发送时段内会补跑），或执行 remind。',
  },
}
const NOT_ON_RECORD: Why = {
  reason: {
    en: 'There is no run of this day on record: the service was not in use yet, no process has looked since, or its rows were deleted after RETENTION_DAYS.',
    zh: '没有这一天的记录：当时尚未使用本服务、之后没有进程查看过，或记录已超过 RETENTION_DAYS 被删除。',
  },
  remedy: null,
}

/** Why a day has no run, and what to do about it. `firings` are those of that day, in ms. */
export function describeNotStarted(
  account: Account,
  date: number,
  firings: number[],
  now: number,
): Pick<RunStatus, 'reason' | 'reason_zh' | 'remedy' | 'remedy_zh'> {
  const { reason, remedy } = whyNotStarted(account, date, firings, now)
  return {
    reason: reason.en,
    reason_zh: reason.zh,
    remedy: remedy?.en ?? null,
    remedy_zh: remedy?.zh ?? null,
  }
}

function whyNotStarted(account: Account, date: number, firings: number[], now: number): Why {
  const [firing] = firings
  if (date < businessDate(now, account.timezone)) return firing === undefined ? NO_FIRING : NOT_ON_RECORD
  if (account.templateId === '') return NO_TEMPLATE
  if (firing === undefined) return NO_FIRING
  if (firing > now) return NOT_YET
  return now < windowEnd(account, date) ? LATE : NOT_ON_RECORD
}
