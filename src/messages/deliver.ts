import type { Knex } from 'knex'
import { MAX_LIST } from '../db/sql.js'
import { failpoint } from '../lib/failpoint.js'
import { createGroupCommit } from '../lib/group-commit.js'
import type { Logger } from '../lib/logger.js'
import { maskOpenId } from '../lib/redact.js'
import type { SendResult } from '../wechat/client.js'
import type { Brake } from './brake.js'
import { createLeases } from './leases.js'
import type { Delivery } from './message.js'
import { createPace } from './pace.js'
import type { Rate } from './rate.js'
import { type AnswerRecord, emptyTally, type Outcome, settleBatch, type Tally } from './settle.js'
import { judge, type Verdict } from './verdict.js'

/** Where claimed messages come from. They are already `sending` in the database, with a lease of this process. */
export interface Source {
  /**
   * The next ones; empty = ask again; undefined = there are no more. `idle` waits until none is in hand; false = it has
   * been stopped, and nothing more is wanted.
   */
  next(idle: () => Promise<boolean>): Promise<Delivery[] | undefined>
}

export interface DeliverDeps {
  db: Knex
  send(delivery: Delivery): Promise<SendResult>
  now(): number
  /** In [0, 1): spreads the retries. */
  random(): number
  log: Logger
  leaseMs: number
  concurrency: number
  /** The same one for everything that sends for this account. */
  rate: Rate
}

export interface DeliverOptions {
  brake: Brake
  /** Stops claiming and sending; what is under way is finished, what was not sent is given back. */
  signal: AbortSignal
  onProgress?(tally: Tally): void
}

const NOTHING_SAID: AnswerRecord = { errcode: null, errmsg: null, rid: null, msgid: null }

/**
 * Sends what a source claims, with bounded concurrency, and writes every verdict down in batches. The next claim
 * overlaps the sending, and so do the verdicts; at most about two claims and one batch of verdicts are in memory.
 * No connection to the database is held while a request is under way.
 * Throws if the database stays away: what was in hand then lapses, and is taken over with the same permit.
 */
export async function deliverAll(deps: DeliverDeps, source: Source, options: DeliverOptions): Promise<Tally> {
  const { db, log, leaseMs, now } = deps
  const { brake, signal } = options
  const pace = createPace(deps.concurrency, deps.rate)
  const tally = emptyTally()
  const leases = createLeases(db, leaseMs, log)
  const queue: Delivery[] = []
  let claimEnded = false
  let failure: unknown
  let wake = createSignal()

  const settler = createGroupCommit<Outcome, Delivery | undefined>({
    commit: (outcomes) => settleBatch(db, outcomes, { leaseMs, now: now() }, tally),
    weigh: () => 1,
    mayBeOneItemsFault: () => false,
    maxGroupWeight: MAX_LIST,
    maxWaitingWeight: Number.POSITIVE_INFINITY,
  })

  const stopping = (): boolean => signal.aborted || brake.halt !== undefined || failure !== undefined

  function changed(): void {
    wake.resolve()
    wake = createSignal()
  }

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await wake.promise
  }

  async function produce(): Promise<void> {
    const idle = async (): Promise<boolean> => {
      await until(() => leases.size === 0 || stopping())
      return !stopping()
    }
    while (!stopping()) {
      const batch = await source.next(idle)
      if (!batch) break
      leases.hold(batch)
      queue.push(...batch)
      changed()
      // The next claim overlaps the sending of this one.
      await until(() => queue.length <= batch.length || stopping())
    }
  }

  async function work(): Promise<void> {
    for (;;) {
      await until(() => queue.length > 0 || claimEnded)
      const delivery = queue.shift()
      if (delivery) {
        changed()
        await settleToTheEnd(delivery).catch(fail)
      } else if (claimEnded) return
      // Else a colleague was quicker: all were woken for what may be one message.
    }
  }

  function fail(error: unknown): void {
    failure ??= error
    stop()
  }

  function stop(): void {
    pace.stop()
    changed()
  }

  /** One message, with as many permits as it takes. */
  async function settleToTheEnd(claimed: Delivery): Promise<void> {
    let delivery: Delivery | undefined = claimed
    while (delivery) {
      const outcome = await attempt(delivery)
      if (!outcome) break
      const settling = settle(outcome)
      // Others go on without waiting for the commit; only a next permit must be reserved before it is used.
      delivery = outcome.verdict.kind === 'next_permit' || isBacklogged() ? await settling : undefined
    }
  }

  async function attempt(delivery: Delivery): Promise<Outcome | undefined> {
    if (stopping()) return notSent(delivery)
    await pace.enter()
    if (stopping() || !leases.isHeld(delivery)) {
      pace.leave('neither')
      return stopping() ? notSent(delivery) : abandon(delivery)
    }
    failpoint('send.before')
    const result = await deps.send(delivery)
    failpoint('send.after')
    const verdict = judge(delivery, result, deps.random(), deps.now())
    pace.leave(paceOf(result))
    brake.observe(result, verdict)
    if (brake.halt) stop()
    logVerdict(log, delivery, result, verdict)
    return { delivery, verdict, answer: recordOf(result), attempted: true }
  }

  /** Claimed and then not wanted: undone, unless an earlier attempt may have been delivered. */
  function notSent(delivery: Delivery): Outcome {
    const verdict: Verdict = delivery.maybeSent
      ? { kind: 'retry', afterMs: 0, maybeSent: true }
      : { kind: 'give_back' }
    const errmsg = brake.halt ? 'not sent: the run halted' : 'not sent: the service stopped'
    return { delivery, verdict, answer: { ...NOTHING_SAID, errmsg }, attempted: false }
  }

  function abandon(delivery: Delivery): undefined {
    log.warn(
      { event: 'lease.lapsed', trace_id: delivery.traceId, message_id: delivery.id },
      'left to whoever took it over',
    )
    leases.release(delivery.id)
    tally.lost++
    changed()
  }

  let unsettled = 0
  const isBacklogged = (): boolean => unsettled >= MAX_LIST

  async function settle(outcome: Outcome): Promise<Delivery | undefined> {
    unsettled++
    try {
      const next = await settler.add(outcome)
      if (next) leases.hold([next])
      else leases.release(outcome.delivery.id)
      options.onProgress?.(tally)
      return next
    } catch (error) {
      fail(error)
      leases.release(outcome.delivery.id)
      return undefined
    } finally {
      unsettled--
      changed()
    }
  }

  signal.addEventListener('abort', stop)
  if (signal.aborted) stop()
  const workers = Array.from({ length: deps.concurrency }, work)
  await produce().catch(fail)
  claimEnded = true
  changed()
  await Promise.all(workers)
  await settler.drain()
  leases.stop()
  signal.removeEventListener('abort', stop)
  if (failure !== undefined) throw failure
  return tally
}

function paceOf(result: SendResult): 'went_well' | 'slow_down' | 'neither' {
  if (result.kind === 'accepted') return 'went_well'
  const busy = result.kind !== 'refused' || result.entry.class === 'transient'
  return busy ? 'slow_down' : 'neither'
}

function recordOf(result: SendResult): AnswerRecord {
  switch (result.kind) {
    case 'accepted':
      return { errcode: 0, errmsg: null, rid: null, msgid: result.msgid ?? null }
    case 'refused':
      return { errcode: result.errcode, errmsg: result.errmsg, rid: result.rid ?? null, msgid: null }
    default:
      return { ...NOTHING_SAID, errmsg: `${result.kind}: ${result.reason} ${result.detail ?? ''}`.trim() }
  }
}

/** At debug: a line for each message of a large run would be more than anybody reads; the row of the message says the same. */
function logVerdict(log: Logger, delivery: Delivery, result: SendResult, verdict: Verdict): void {
  log.debug({
    event: 'message.attempted',
    trace_id: delivery.traceId,
    message_id: delivery.id,
    user_id: delivery.userId,
    open_id: maskOpenId(delivery.openId),
    verdict: verdict.kind,
    answer: result.kind,
    errcode: result.kind === 'refused' ? result.errcode : undefined,
  })
}

function createSignal(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
