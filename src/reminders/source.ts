import type { Account } from '../account.js'
import { pause } from '../lib/pause.js'
import type { Brake } from '../messages/brake.js'
import type { Card } from '../messages/card-store.js'
import type { DeliverDeps, Source } from '../messages/delivery.js'
import { findUnfinished } from '../messages/lease-store.js'
import type { HeldMessage } from '../messages/message.js'
import { observeTakeover, takeOver } from '../messages/recovery.js'
import { addTallies, emptyTally, type Tally } from '../messages/tally.js'
import { windowEnd } from '../messages/window.js'
import { hasRoom } from '../runs/limit.js'
import { reopenRun } from '../runs/occurrences.js'
import { hasUnreadRanges } from '../runs/ranges.js'
import type { Reason } from '../runs/reason.js'
import type { Trigger } from '../runs/run.js'
import { createCanary } from './canary.js'
import { type Claim, claimDue } from './claim.js'

const BATCH = 500
/**
 * Users whom a claim examines, at a few us each: a full batch is found even where three in four are not due. Where
 * claims find less, the next ones examine more, up to some 50 ms each.
 */
const EXAMINED = 4 * BATCH
const MAX_EXAMINED = 32 * BATCH
/**
 * With a slow SEND_RATE, a claim takes no more than goes out in this time, so that a stop has little to give back.
 */
const BATCH_SECONDS = 5
/** How often a busy run looks for messages that others left: there may be some at its start, and rarely later. */
const LOOK_FOR_LEFT_MS = 1_000
/** Retries due later than this are left to the recovery: a minute's quota and a back-off fit in, an hour does not. */
const PATIENCE_MS = 150_000
const POLL_MS = 100
const MAX_POLL_MS = 1_000

export interface RunEnding {
  state: 'done' | 'halted' | 'paused' | 'limited' | 'window_closed'
  reason: Reason | null
}

/** Where the run stands. */
type Phase =
  | { kind: 'claiming' }
  /** Nobody is left to claim just now; there may still be retries, and messages that other processes hold. */
  | { kind: 'draining'; because: 'all_read' | 'limited' | 'ended_elsewhere' }
  | { kind: 'over'; ending: RunEnding }

const DONE: RunEnding = { state: 'done', reason: null }

export interface ReminderSource extends Source {
  /** How the run ended, as far as the source knows. */
  ending(): RunEnding
  /** Messages that were taken over and settled at once, without being sent. */
  readonly settledAtOnce: Tally
}

/** The messages of one run: its canaries, what others left, its claims, and how it ended. */
export function createReminderSource(
  deps: DeliverDeps,
  account: Account,
  brake: Brake,
  run: { runId: number; date: number; card: Card; triggeredBy: Trigger; signal: AbortSignal },
): ReminderSource {
  const { db, now, leaseMs, observe } = deps
  const { runId, date, card, triggeredBy, signal } = run
  const perSecond = deps.rate.perSecond ?? Number.POSITIVE_INFINITY
  const batch = Math.max(1, Math.min(BATCH, Math.ceil(perSecond * BATCH_SECONDS)))
  const closesAt = windowEnd(account, date)
  const canary = createCanary(brake)
  let phase: Phase = { kind: 'claiming' }
  let settledAtOnce = emptyTally()
  let lookedAt = Number.NEGATIVE_INFINITY
  let pollMs = POLL_MS
  let examine = EXAMINED

  const is = (kind: Phase['kind']): boolean => phase.kind === kind

  function end(ending: RunEnding): undefined {
    phase = { kind: 'over', ending }
  }

  async function wait(): Promise<[]> {
    await pause(pollMs, signal)
    pollMs = Math.min(MAX_POLL_MS, pollMs * 2)
    return []
  }

  async function takeOverLeft(): Promise<HeldMessage[]> {
    const lookedAgo = performance.now() - lookedAt
    if (lookedAgo < LOOK_FOR_LEFT_MS && is('claiming') && !canary.mustRepeat) return []
    lookedAt = performance.now()
    const limit = canary.isPassed ? batch : 1
    const takeover = await takeOver(db, account, { limit, leaseMs, now: now() })
    observeTakeover(observe, takeover)
    settledAtOnce = addTallies(settledAtOnce, takeover.tally)
    return takeover.messages
  }

  async function claimNext(): Promise<HeldMessage[]> {
    const options = { runId, date, card, leaseMs, now: now(), examine, areFewDue: examine > EXAMINED }
    const began = performance.now()
    const claim = await claimDue(db, account, { ...options, claim: canary.isPassed ? batch : 1 })
    if (claim.kind === 'claimed') observe.claimed(claim.messages.length, (performance.now() - began) / 1_000)
    switch (claim.kind) {
      case 'claimed':
        if (canary.isPassed) examine = nextExamined(examine, claim.messages.length / batch)
        return claim.messages
      case 'busy':
        return wait()
      case 'exhausted':
        phase = { kind: 'draining', because: 'all_read' }
        return []
      case 'limited':
        phase = { kind: 'draining', because: 'limited' }
        return []
      case 'ended':
        await leaveEnded(claim)
        return []
    }
  }

  async function leaveEnded({ state, reason }: Extract<Claim, { kind: 'ended' }>): Promise<void> {
    // Users were given back after the run ended: continue it here.
    if (state === 'done' && (await hasUnreadRanges(db, runId))) await reopenRun(db, runId, triggeredBy, now())
    else if (state === 'done' || state === 'running' || state === 'missed')
      phase = { kind: 'draining', because: 'ended_elsewhere' }
    else end({ state, reason })
  }

  /** Nothing to send or claim just now: waits for what may still come, or ends the run. */
  async function drain(idle: () => Promise<boolean>): Promise<HeldMessage[] | undefined> {
    if (!(await idle())) return undefined
    const { sending, nextRetryAt } = await findUnfinished(db, account.appId)
    const isSoon = nextRetryAt !== undefined && nextRetryAt - now() < PATIENCE_MS
    if (canary.mustRepeat && !isSoon) {
      canary.tryAnother()
      return []
    }
    // This also waits for what another process holds: if that one dies, its messages are taken over here.
    if (sending || isSoon) return wait()
    if (phase.kind !== 'draining' || phase.because === 'ended_elsewhere') return end(DONE)
    if (phase.because === 'limited' && !(await hasRoom(db, runId))) return end(LIMITED)
    // If the other process was stopped, it has given back users behind the cursors.
    if (!(await hasUnreadRanges(db, runId))) return end(DONE)
    phase = { kind: 'claiming' }
    return []
  }

  return {
    get settledAtOnce() {
      return settledAtOnce
    },
    ending() {
      if (signal.aborted) return { state: 'paused', reason: STOPPED }
      return phase.kind === 'over' ? phase.ending : DONE
    },
    async next(idle) {
      if (is('over') || !(await canary.settle(idle))) return undefined
      if (now() >= closesAt) return end({ state: 'window_closed', reason: windowReason(account) })
      const left = await takeOverLeft()
      const mayClaim = left.length === 0 && is('claiming') && !canary.mustRepeat
      const messages = mayClaim ? await claimNext() : left
      if (messages.length > 0) {
        pollMs = POLL_MS
        canary.goesOut()
        return messages
      }
      if (is('over')) return undefined
      return is('claiming') && !canary.mustRepeat ? [] : drain(idle)
    },
  }
}

/** How many users the next claim examines, by how full this one's batch became. */
function nextExamined(examined: number, filled: number): number {
  if (filled < 0.5) return Math.min(2 * examined, MAX_EXAMINED)
  return filled < 1 ? examined : Math.max(examined / 2, EXAMINED)
}

const LIMITED: RunEnding = {
  state: 'limited',
  reason: {
    en: 'it has reminded as many users as --limit allows; run remind again for the rest',
    zh: '已达到 --limit 限定的人数，再执行 remind 可继续提醒其余用户',
    cause: 'limit',
  },
}

const STOPPED: Reason = {
  en: 'stopped by a signal; run it again to go on',
  zh: '收到停止信号，再次执行即可继续',
  cause: 'stopped',
}

function windowReason({ sendUntil, timezone }: Account): Reason {
  const time = [sendUntil.hour, sendUntil.minute].map((part) => String(part).padStart(2, '0')).join(':')
  return {
    en: `the sending window of that day closed at ${time} ${timezone} (SEND_UNTIL)`,
    zh: `当天的发送时段已于 ${time}（${timezone}）结束（SEND_UNTIL）`,
    cause: 'window',
  }
}
