import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { businessDate } from '../lib/business-date.js'
import { windowEnd } from '../messages/window.js'
import { findRunStatus, type RunStatus } from '../reminders/status.js'
import type { RunState } from '../runs/run.js'
import type { Tone } from './components.js'
import type { IconName } from './icons.js'
import type { Scribe } from './reader.js'

/** Today's run, as it stands. */
export interface Today {
  date: number
  now: number
  /** End of the sending window, in ms. */
  closesAt: number
  status: RunStatus
}

export async function findToday(db: Knex, account: Account, now: number): Promise<Today> {
  const date = businessDate(now, account.timezone)
  return {
    date,
    now,
    closesAt: windowEnd(account, date),
    status: await findRunStatus(db, account, date, now),
  }
}

/** How the day stands, finer than the state of the run: why there is none, and whether it waits for WeChat. */
export type DayState = RunState | 'off' | 'none' | 'planned' | 'late' | 'waiting'

export function dayStateOf({ templateId }: Account, { status }: Today): DayState {
  if (status.state === 'running' && status.reason !== null) return 'waiting'
  if (status.state !== 'not_started') return status.state as RunState
  if (templateId === '') return 'off'
  if (status.next_firing_at !== null) return 'planned'
  return status.remedy === null ? 'none' : 'late'
}

interface Look {
  tone: Tone
  symbol?: IconName
}

const LOOKS: Record<DayState, Look> = {
  off: { tone: 'quiet' },
  none: { tone: 'quiet' },
  planned: { tone: 'quiet' },
  late: { tone: 'warn', symbol: 'wait' },
  running: { tone: 'info' },
  waiting: { tone: 'warn', symbol: 'wait' },
  done: { tone: 'good' },
  halted: { tone: 'bad' },
  paused: { tone: 'warn', symbol: 'pause' },
  limited: { tone: 'warn', symbol: 'pause' },
  window_closed: { tone: 'warn', symbol: 'wait' },
  missed: { tone: 'bad' },
}

/** Below this share delivered, a day that is done did not go well. */
const WELL = 0.9

export interface Answer extends Look {
  state: DayState
  sentence: string
}

/** The answer to "did it go well?", in one sentence with its numbers. */
export function answerOf(scribe: Scribe, today: Today): Answer {
  const state = dayStateOf(scribe.account, today)
  const look = LOOKS[state]
  if (state === 'done' && shareDelivered(today.status) < WELL)
    return { state, tone: 'warn', sentence: sentenceOf(scribe, today, state) }
  return { ...look, state, sentence: sentenceOf(scribe, today, state) }
}

function shareDelivered({ delivered, due }: RunStatus): number {
  return due ? delivered / due : 1
}

function sentenceOf({ texts, format }: Scribe, { status }: Today, state: DayState): string {
  const t = texts.today.answers
  const delivered = format.number(status.delivered)
  switch (state) {
    case 'planned':
      return t.planned(format.time(Date.parse(status.next_firing_at ?? '')))
    case 'running':
      return status.claimed === 0
        ? t.starting
        : t.running(format.number(endedOf(status)), format.number(expectedOf(status)))
    case 'done':
      return doneSentence(t, format, status)
    case 'halted':
      return t.halted(delivered)
    case 'paused':
      return t.paused(delivered)
    case 'limited':
      return t.limited(delivered)
    case 'window_closed':
      return t.closed(delivered)
    default:
      return t[state]
  }
}

function doneSentence(
  t: Scribe['texts']['today']['answers'],
  format: Scribe['format'],
  status: RunStatus,
): string {
  const { delivered, due } = status
  if (!due) return t.nobody
  const [n, all] = [format.number(delivered), format.number(due)]
  if (delivered === due) return t.all(n)
  return shareDelivered(status) >= WELL ? t.most(n, all) : t.few(n, all)
}

/** Messages that are over, whatever became of them. */
function endedOf({ delivered, failed, unknown }: RunStatus): number {
  return delivered + failed + unknown
}

/** How many users the run is about: as counted at its end, or as planned, or as far as it has come. */
export function expectedOf(status: RunStatus): number {
  const known = endedOf(status) + status.retrying + status.in_hand
  return Math.max(status.due ?? status.planned ?? 0, known)
}
