import { chunks } from '../lib/chunks.js'
import type { SandboxControl } from '../sandbox/control.js'
import { type Backend, post } from './client.js'
import type { SampleUser } from './sample.js'

/** What was reported, and what the service answered. */
export interface Reports {
  taps: number
  /** By template. */
  answers: Map<string, { accepted: number; refused: number }>
  /** Unspent permits by template, after the last run. */
  left: Map<string, number>
}

export function emptyReports(): Reports {
  return { taps: 0, answers: new Map(), left: new Map() }
}

/** One visitor in this many taps "no" to the reminder, and one "yes" to any further template. */
const REFUSE = 12
const WANT_MORE = 3
/** Two templates fit into one call of a hundred items. */
const TAPS = 50

/**
 * Each visitor is asked once, for all templates in one popup; the page reports the answers, and WeChat's own event
 * follows.
 */
export async function reportTaps(
  backend: Backend,
  wechat: SandboxControl,
  tap: { appId: string; templateIds: string[]; visitors: SampleUser[]; now: number },
  reports: Reports,
): Promise<void> {
  const { appId, templateIds, visitors, now } = tap
  const taps = visitors.map(({ userId, openId }, i) => {
    const wants = (n: number) => (n === 0 ? i % REFUSE !== REFUSE - 1 : i % WANT_MORE === 0)
    const answers = templateIds.map((id, n) => [id, wants(n) ? 'accept' : 'reject'] as const)
    wechat.tap({ appId, openId, answers: Object.fromEntries(answers) })
    const person = { open_id: openId, user_id: userId, tapped_at: now }
    return answers.map(([template_id, result]) => ({ ...person, template_id, result }))
  })
  reports.taps += taps.length
  for (const some of chunks(taps, TAPS)) {
    const { results } = (await post(backend, '/v1/subscriptions', { items: some.flat() })) as Answer
    for (const { template_id, outcome } of results) {
      const sum = reports.answers.get(template_id) ?? { accepted: 0, refused: 0 }
      if (outcome === 'accepted') sum.accepted++
      else sum.refused++
      reports.answers.set(template_id, sum)
    }
  }
}

interface Answer {
  results: { template_id: string; outcome: string }[]
}
