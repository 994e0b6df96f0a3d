import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { isContention, isDuplicate, whyUnavailable } from '../db/errors.js'
import { inRequest } from '../db/transaction.js'
import { chunks } from '../lib/chunks.js'
import { MINUTE_MS } from '../lib/durations.js'
import { failpoint } from '../lib/failpoint.js'
import type { Logger } from '../lib/logger.js'
import { oneAtATime } from '../lib/one-at-a-time.js'
import { maskOpenId } from '../lib/redact.js'
import { applyChange, applyPopup } from './consent.js'
import { applyDelivery } from './delivery.js'
import { done, type Effect } from './effect.js'
import { applyFollow, applyUnfollow } from './following.js'
import * as store from './store.js'

/** Processes stored events: soon after they came, and again those that a crash or a failure left. */
export interface CallbackWorker {
  /** Signals that there is something new. Returns at once. */
  wake(): void
  /** Processes the events that waited until this person had a user. */
  userBound(openId: string): Promise<void>
  /** Processes what is due now, and returns how many events ended here. Never runs twice at the same time. */
  workDue(): Promise<number>
  /** Begins nothing more, and resolves when what is under way has ended. Safe to call twice. */
  stop(): Promise<void>
}

const BATCH = 100
/** Each takes a connection of the pool; the sending and the requests need theirs. */
const AT_ONCE = 3
const PAUSE_AFTER_ERROR_MS = 10 * MINUTE_MS
/** By then the server has ended the session of a process that froze. */
const PAUSE_AFTER_LOCK_MS = 20_000

export interface WorkerDeps {
  db: Knex
  account: Account
  log: Logger
  now(): number
  /** Is told what came of an event, or what it waits for. */
  onWorked?(event: string, outcome: store.EventOutcome): void
}

export function createCallbackWorker(deps: WorkerDeps): CallbackWorker {
  let stopped = false
  const passes = oneAtATime(pass, {
    isStopped: () => stopped,
    onFailure: (error) =>
      deps.log.warn(
        { event: 'callback.work_failed', app_id: deps.account.appId, err: error },
        'the next tick tries again',
      ),
  })

  async function pass(): Promise<number> {
    let ended = 0
    while (!stopped) {
      const due = await store.findDue(deps.db, deps.account.appId, deps.now(), BATCH)
      let moved = 0
      for (const ids of chunks(due, AT_ONCE)) {
        if (stopped) break
        const outcomes = await Promise.all(ids.map((id) => workOff(deps, id)))
        moved += outcomes.filter((outcome) => outcome !== 'taken').length
        ended += outcomes.filter((outcome) => outcome === 'ended').length
      }
      // Events that another process holds would be read again and again.
      if (due.length < BATCH || moved === 0) break
    }
    return ended
  }

  return {
    wake: passes.wake,
    async userBound(openId) {
      await store.endWaitForUser(deps.db, deps.account.appId, openId, deps.now())
      passes.wake()
    },
    workDue: passes.workDue,
    async stop() {
      stopped = true
      await passes.ended()
    },
  }
}

/** `taken`: another process has it, or had it. The effect and the end of the event are one transaction. */
async function workOff(deps: WorkerDeps, id: number): Promise<'ended' | 'waits' | 'taken'> {
  const { db, account, log, now, onWorked = () => {} } = deps
  const { appId } = account
  try {
    const worked = await inRequest(
      db,
      async (trx) => {
        const event = await store.lockDue(trx, id, now())
        if (!event) return undefined
        const effect = await apply(trx, account, event, now())
        if (effect.kind === 'wait') await store.postpone(trx, id, effect.outcome, effect.until)
        else await store.finish(trx, id, effect.outcome, now())
        failpoint('callback.in_transaction')
        return { event, effect }
      },
      // The client's report of the same tap came first.
      isDuplicate,
    )
    if (!worked) return 'taken'
    logEffect(log, appId, worked.event, worked.effect)
    onWorked(worked.event.event, worked.effect.outcome)
    return worked.effect.kind === 'done' ? 'ended' : 'waits'
  } catch (error) {
    if (whyUnavailable(error)) throw error
    // One event that cannot be applied must not block the others.
    log.error(
      { event: 'callback.failed', app_id: appId, event_id: id, err: error },
      'it will be retried later',
    )
    onWorked('', 'error')
    const pause = isContention(error) ? PAUSE_AFTER_LOCK_MS : PAUSE_AFTER_ERROR_MS
    await store.postpone(db, id, 'error', now() + pause)
    return 'waits'
  }
}

function apply(
  trx: Knex.Transaction,
  account: Account,
  event: store.EventRow,
  now: number,
): Promise<Effect> | Effect {
  const { appId } = account
  switch (event.event) {
    case 'subscribe_msg_popup_event':
      return applyPopup(trx, account, event, now)
    case 'subscribe_msg_change_event':
      return applyChange(trx, account, event, now)
    case 'subscribe_msg_sent_event':
    case 'TEMPLATESENDJOBFINISH':
      return applyDelivery(trx, account, event, now)
    case 'subscribe':
      return applyFollow(trx, account, event, now)
    case 'unsubscribe':
      return applyUnfollow(trx, appId, event, now)
    default:
      return done('ignored')
  }
}

function logEffect(log: Logger, appId: string, event: store.EventRow, effect: Effect): void {
  const about = effect.kind === 'done' ? effect : undefined
  log[effect.kind === 'done' ? 'info' : 'debug'](
    {
      event: effect.kind === 'done' ? 'callback.applied' : 'callback.waits',
      // The message's, if there is one: its whole story has one trace id.
      trace_id: about?.traceId ?? event.trace_id,
      // The request that brought it.
      push_trace_id: event.trace_id,
      app_id: appId,
      event_id: event.id,
      name: event.event,
      outcome: effect.outcome,
      open_id: maskOpenId(event.open_id),
      ...(about?.messageId === undefined ? {} : { message_id: about.messageId }),
    },
    'event from WeChat',
  )
}
