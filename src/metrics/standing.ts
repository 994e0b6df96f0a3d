import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { windowEnd } from '../messages/window.js'
import { EXPIRE } from '../permits/expire.js'
import { REMIND } from '../reminders/run.js'
import { PURGE } from '../retention/purge.js'
import { type Outcome, sumOutcomes } from '../runs/outcomes.js'
import type { RunState } from '../runs/run.js'
import { countStates } from '../submitted/count-store.js'
import { findOldestDue } from '../submitted/due-store.js'
import { findOldestWaiting } from '../webhooks/log-store.js'
import type { Instruments } from './instruments.js'
import * as store from './store.js'
import type { SubmittedStanding } from './submitted.js'

const JOBS = [REMIND, EXPIRE, PURGE]
/** Two weeks of reminders without a success are as bad as any longer time, and a sweep has so many in five hours. */
const RUNS = 15
const MAX_CLAIMS = 1_000
const STATES: RunState[] = ['running', 'done', 'halted', 'paused', 'limited', 'window_closed', 'missed']

/** How an account stands in the database. */
export interface Standing {
  runs: Map<string, store.RunRow[]>
  /** Of the newest daily run, if there is any. */
  outcomes: Record<Outcome, number> | undefined
  claims: { held: number; lapsed: number }
  /** Since when a backend has not been told of its oldest event, in ms; undefined: nothing waits. */
  waitingSince: number | undefined
  submitted: SubmittedStanding
}

export async function readStanding(db: Knex, appId: string): Promise<Standing> {
  const runs = new Map<string, store.RunRow[]>()
  for (const job of JOBS) runs.set(job, await store.findNewestRuns(db, job, appId, RUNS))
  const [newest] = runs.get(REMIND) ?? []
  return {
    runs,
    outcomes: newest && (await sumOutcomes(db, newest.id)),
    claims: await store.countClaims(db, appId, MAX_CLAIMS),
    waitingSince: (await findOldestWaiting(db, appId))?.created_at,
    submitted: await readSubmitted(db, appId),
  }
}

async function readSubmitted(db: Knex, appId: string): Promise<SubmittedStanding> {
  const [dead] = await countStates(db, appId, ['dead'])
  return { dueSince: await findOldestDue(db, appId), dead: dead?.messages ?? 0 }
}

/** Returns what shows a standing. */
export function createStandingMetrics(
  instruments: Instruments,
): (account: Account, standing: Standing) => void {
  const state = instruments.gauge(
    'run_state',
    'The state of the newest daily run: 1 for the state that it is in, 0 for the others.',
    ['app_id', 'state'],
  )
  const started = instruments.gauge(
    'run_started_timestamp_seconds',
    'When the newest daily run was started or last resumed, or was found to be missed.',
    ['app_id'],
  )
  const messages = instruments.gauge(
    'run_messages',
    'Messages of the newest daily run by what has become of them so far, whichever process sent them.',
    ['app_id', 'outcome'],
  )
  const closes = instruments.gauge(
    'run_window_end_timestamp_seconds',
    'When the sending window of the newest daily run closes.',
    ['app_id'],
  )
  const success = instruments.gauge(
    'job_last_success_timestamp_seconds',
    'When a run of a job was last done, up to its end; 0: none of its latest runs was.',
    ['app_id', 'task'],
  )
  const claims = instruments.gauge(
    'claims',
    'Batches of messages that processes have in hand (held), and that wait to be taken over (lapsed).',
    ['app_id', 'state'],
  )
  return (account, { runs, outcomes = {}, claims: { held, lapsed } }) => {
    const { appId: app_id } = account
    for (const [job, newest] of runs) {
      if (newest.length === 0) continue
      const last = newest.find((run) => run.state === 'done')
      success.set({ app_id, task: job }, (last?.finished_at ?? 0) / 1_000)
    }
    const [run] = runs.get(REMIND) ?? []
    if (run) {
      for (const one of STATES) state.set({ app_id, state: one }, one === run.state ? 1 : 0)
      started.set({ app_id }, run.started_at / 1_000)
      closes.set({ app_id }, windowEnd(account, run.slot) / 1_000)
    }
    for (const [outcome, n] of Object.entries(outcomes)) messages.set({ app_id, outcome }, n)
    claims.set({ app_id, state: 'held' }, held)
    claims.set({ app_id, state: 'lapsed' }, lapsed)
  }
}
