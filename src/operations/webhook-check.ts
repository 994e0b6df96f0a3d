import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { type Finding, toFinding } from '../findings/finding.js'
import type { Bilingual } from '../lib/bilingual.js'
import { DAY_MS, MINUTE_MS } from '../lib/durations.js'
import { type DeliveryRow, findDeliveries, findOldestWaiting } from '../webhooks/log-store.js'

/** Later than this, something is wrong with the receiver, or nobody sends. */
const LATE_MS = 10 * MINUTE_MS
/** What was given up longer ago is history. */
const RECENT_MS = DAY_MS
/** Given up; more of them are as bad. */
const MAX_FAILED = 20

/** Whether the backend of an account with a webhook is told what became of its messages. */
export async function examineWebhook(
  db: Knex,
  { appId }: Pick<Account, 'appId'>,
  now: number,
): Promise<Finding> {
  const name = 'webhook'
  const oldest = await findOldestWaiting(db, appId)
  if (oldest && now - oldest.created_at > LATE_MS) {
    const minutes = Math.floor((now - oldest.created_at) / MINUTE_MS)
    const last = lastOf(oldest)
    const reason = {
      en: `the oldest event has waited for ${minutes} minutes; ${last.en}`,
      zh: `最早的事件已等待 ${minutes} 分钟；${last.zh}`,
    }
    return toFinding(name, 'warn', reason, { fix: oldest.attempts === 0 ? START : LISTEN })
  }
  const failed = await findDeliveries(db, appId, { state: 'failed', limit: MAX_FAILED })
  const recent = failed.filter(({ ended_at }) => now - ended_at < RECENT_MS)
  const [newest] = recent
  if (newest) {
    const count = recent.length < MAX_FAILED ? `${recent.length}` : `${MAX_FAILED}+`
    const last = lastOf(newest)
    const reason = {
      en: `${count} events of the last day were given up; ${last.en}`,
      zh: `最近一天有 ${count} 个事件已放弃；${last.zh}`,
    }
    return toFinding(name, 'warn', reason, { fix: REDELIVER })
  }
  return toFinding(name, 'ok', { en: 'told everything', zh: '已全部通知' })
}

function lastOf({ attempts, http_status, error }: DeliveryRow): Bilingual {
  if (attempts === 0) return { en: 'it was not tried yet', zh: '尚未尝试' }
  if (http_status !== null)
    return { en: `last answer: HTTP ${http_status}`, zh: `最近一次应答：HTTP ${http_status}` }
  return { en: `no answer: ${error ?? 'UNKNOWN'}`, zh: `没有应答：${error ?? 'UNKNOWN'}` }
}

const START: Bilingual = { en: 'Start serve: it tells the webhook.', zh: '启动 serve：由它发送通知。' }
const LISTEN: Bilingual = {
  en: 'Look at the receiver behind WEBHOOK_URL: it must answer 2xx within 5 s. It is tried again by itself.',
  zh: '检查 WEBHOOK_URL 的接收端：须在 5 秒内应答 2xx。之后会自动重试。',
}
const REDELIVER: Bilingual = {
  en: 'Mend the receiver behind WEBHOOK_URL; then list them by `webhooks --state failed`, and tell each again by `webhooks --redeliver ID`.',
  zh: '修复 WEBHOOK_URL 的接收端，再用 `webhooks --state failed` 列出，用 `webhooks --redeliver ID` 逐个重新通知。',
}
