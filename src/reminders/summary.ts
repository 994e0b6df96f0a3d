import { toIsoDate } from '../lib/business-date.js'
import { isoTime } from '../lib/iso-time.js'
import type { Outcome } from '../runs/outcomes.js'
import { toReason } from '../runs/reason.js'
import { remedyOf } from './remedies.js'
import { errorsOf } from './run-errors.js'
import type { RunSummary } from './status-schemas.js'
import type { OutcomeRow, RunRow } from './status-store.js'

/** A run with what became of its messages. */
export function summaryOf(run: RunRow, outcomes: OutcomeRow[]): RunSummary {
  const reason = toReason(run)
  const remedy = remedyOf(run.state, reason)
  return {
    date: toIsoDate(run.slot),
    run_id: run.id,
    state: run.state,
    reason: reason?.en ?? null,
    reason_zh: reason?.zh ?? null,
    remedy: remedy?.en ?? null,
    remedy_zh: remedy?.zh ?? null,
    triggered_by: run.triggered_by,
    started_at: isoTime(run.started_at),
    finished_at: isoTime(run.finished_at),
    updated_at: isoTime(run.updated_at),
    planned: run.planned,
    due: run.state === 'running' ? null : run.due,
    ...countsOf(outcomes),
    skipped: skippedOf(run),
    errors: errorsOf(outcomes),
    delivery_status: deliveryStatusOf(outcomes),
  }
}

/** What there is to say of a day without a run. */
export function emptySummary(date: number): RunSummary {
  return {
    date: toIsoDate(date),
    run_id: null,
    state: 'not_started',
    reason: null,
    reason_zh: null,
    remedy: null,
    remedy_zh: null,
    triggered_by: null,
    started_at: null,
    finished_at: null,
    updated_at: null,
    planned: null,
    due: null,
    ...countsOf([]),
    skipped: NOT_COUNTED,
    errors: [],
    delivery_status: {},
  }
}

type Counts = Pick<
  RunSummary,
  'claimed' | 'delivered' | 'failed' | 'unknown' | 'retrying' | 'cancelled' | 'in_hand'
>

function countsOf(outcomes: OutcomeRow[]): Counts {
  const of = (wanted: Outcome): number =>
    outcomes.reduce((sum, { outcome, messages }) => (outcome === wanted ? sum + messages : sum), 0)
  const [claimed, retrying] = [of('claimed'), of('waiting')]
  const ended = {
    delivered: of('delivered'),
    failed: of('failed'),
    unknown: of('unknown'),
    cancelled: of('cancelled'),
  }
  const settled = ended.delivered + ended.failed + ended.unknown + ended.cancelled
  return { claimed, ...ended, retrying, in_hand: claimed - settled - retrying }
}

const NOT_COUNTED: RunSummary['skipped'] = {
  signed_in: null,
  no_permit: null,
  no_valid_permit: null,
  opted_out: null,
  blocked: null,
  as_of: null,
}

function skippedOf(run: RunRow): RunSummary['skipped'] {
  if (run.skipped_at === null) return NOT_COUNTED
  return {
    signed_in: run.skipped_signed_in,
    no_permit: run.skipped_no_permit,
    no_valid_permit: run.skipped_no_valid_permit,
    opted_out: run.skipped_opted_out,
    blocked: run.skipped_blocked,
    as_of: isoTime(run.skipped_at),
  }
}

function deliveryStatusOf(outcomes: OutcomeRow[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { outcome, cause, messages } of outcomes)
    if (outcome === 'reported') counts[cause] = (counts[cause] ?? 0) + messages
  return counts
}
