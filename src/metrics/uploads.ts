import { ServiceError } from '../errors.js'
import { REJECTION_REASONS, type UploadedPermit } from '../permits/accept.js'
import type { UploadOutcome } from '../permits/decide-uploads.js'
import type { CommittedGroup, Ingest } from '../permits/ingest.js'
import type { SubscriptionOutcome } from '../permits/report-subscription.js'
import { type Instruments, ITEMS, SECONDS } from './instruments.js'

/** Of one account. */
export interface UploadMetrics {
  /** The same ingest, counted. */
  countUploads(ingest: Ingest): Ingest
  onCommit(group: CommittedGroup): void
  onSubscriptions(outcomes: SubscriptionOutcome[]): void
}

const NONE = 'none'

export function createUploadMetrics(instruments: Instruments): (appId: string) => UploadMetrics {
  const uploads = instruments.counter(
    'uploads_total',
    'Uploaded permits by where they come from (form, pay, subscribe), what became of them, and why.',
    ['app_id', 'source', 'outcome', 'reason'],
  )
  const batches = instruments.histogram('upload_batch_permits', 'Permits in one upload.', ITEMS, ['app_id'])
  const groups = instruments.histogram(
    'group_commit_permits',
    'Permits of all uploads that were committed together.',
    ITEMS,
    ['app_id'],
  )
  const commits = instruments.histogram(
    'group_commit_duration_seconds',
    'Time that the database took to commit a group of uploads.',
    SECONDS,
    ['app_id'],
  )

  return (app_id) => {
    // A series that begins with its first event hides that event from rate().
    for (const source of ['form', 'pay'])
      for (const reason of REJECTION_REASONS) uploads.inc({ app_id, source, outcome: 'rejected', reason }, 0)
    for (const source of ['form', 'pay', 'subscribe']) {
      uploads.inc({ app_id, source, outcome: 'accepted', reason: NONE }, 0)
      uploads.inc({ app_id, source, outcome: 'duplicate', reason: NONE }, 0)
    }
    for (const reason of ['overloaded', 'database'])
      uploads.inc({ app_id, source: 'form', outcome: 'failed', reason }, 0)

    function count(permits: UploadedPermit[], outcomes: UploadOutcome[]): void {
      for (const [key, n] of tally(permits, outcomes)) {
        const [source = '', outcome = '', reason = ''] = key.split(' ')
        uploads.inc({ app_id, source, outcome, reason }, n)
      }
    }

    return {
      countUploads: (ingest) => ({
        async upload(permits, now) {
          batches.observe({ app_id }, permits.length)
          try {
            const outcomes = await ingest.upload(permits, now)
            count(permits, outcomes)
            return outcomes
          } catch (error) {
            const isOverload = error instanceof ServiceError && error.code === 'overloaded'
            const reason = isOverload ? 'overloaded' : 'database'
            for (const { source } of permits) uploads.inc({ app_id, source, outcome: 'failed', reason })
            throw error
          }
        },
        drain: () => ingest.drain(),
      }),
      onCommit({ permits, seconds }) {
        groups.observe({ app_id }, permits)
        commits.observe({ app_id }, seconds)
      },
      onSubscriptions(outcomes) {
        for (const { outcome: came, reason = NONE } of outcomes as { outcome: string; reason?: string }[]) {
          const outcome = came === 'refused' ? 'rejected' : came
          uploads.inc({ app_id, source: 'subscribe', outcome, reason })
        }
      },
    }
  }
}

/** How many of a batch have each source, outcome and reason: a batch of 1,000 has few kinds. */
function tally(permits: UploadedPermit[], outcomes: UploadOutcome[]): Map<string, number> {
  const kinds = new Map<string, number>()
  for (const [i, one] of outcomes.entries()) {
    const reason = one.outcome === 'rejected' ? one.reason : NONE
    const key = `${permits[i]?.source ?? 'form'} ${one.outcome} ${reason}`
    kinds.set(key, (kinds.get(key) ?? 0) + 1)
  }
  return kinds
}
