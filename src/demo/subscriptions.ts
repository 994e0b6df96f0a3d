import { chunks } from '../lib/chunks.js'
import type { SandboxControl } from '../sandbox/control.js'
import { type Backend, post } from './client.js'
import type { SampleUser } from './sample.js'

/** What was reported, and what the service answered. */
export interface Reports {
  sent: number
  accepted: number
  refused: number
}

export function emptyReports(): Reports {
  return { sent: 0, accepted: 0, refused: 0 }
}

/** One visitor in this many taps "no". */
const REFUSE = 12
/** The most that one call takes. */
const ITEMS = 100

/** Each visitor is asked once; the page reports the answer, and WeChat's own event follows. */
export async function reportTaps(
  backend: Backend,
  wechat: SandboxControl,
  tap: { appId: string; templateId: string; visitors: SampleUser[]; now: number },
  reports: Reports,
): Promise<void> {
  const { appId, templateId, visitors, now } = tap
  const items = visitors.map(({ userId, openId }, i) => {
    const result = i % REFUSE === REFUSE - 1 ? 'reject' : 'accept'
    wechat.tap({ appId, openId, answers: { [templateId]: result } })
    return { open_id: openId, user_id: userId, template_id: templateId, result, tapped_at: now }
  })
  for (const some of chunks(items, ITEMS)) {
    const answer = (await post(backend, '/v1/subscriptions', { items: some })) as Omit<Reports, 'sent'>
    reports.sent += some.length
    reports.accepted += answer.accepted
    reports.refused += answer.refused
  }
}
