import type { Knex } from 'knex'
import { MAX_LIST } from '../db/sql.js'
import { failpoint } from '../lib/failpoint.js'
import { createGroupCommit } from '../lib/group-commit.js'
import type { Logger } from '../lib/logger.js'
import { maskOpenId } from '../lib/redact.js'
import type { SendResult } from '../wechat/client.js'
import type { Brake } from './brake.js'
import { markSending } from './lease-store.js'
import { createLeases } from './leases.js'
import type { Delivery } from './message.js'
import { createPace } from './pace.js'
import type { Rate } from './rate.js'
import type { Send } from './send.js'
import { type AnswerRecord, emptyTally, type Outcome, settleBatch, type Tally } from './settle.js'
import { isOwnKey, judge, type Verdict } from './verdict.js'

/** Where claimed messages come from. They are in the database, with a lease of this process. */
export interface Source {
  /**
   * The next ones; empty = ask again; undefined = there are no more. `idle` waits until none is in hand; false = it has
   * been stopped, and nothing more is wanted.
   */
  next(idle: () => Promise<boolean>): Promise<Delivery[] | undefined>
}

export interface DeliverDeps {
  db: Knex
  send: Send
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
  /** When the sending window of a business date closes, in ms. From then on no request leaves. */
  closesAt(businessDate: number | null): number
  /** Stops claiming and sending; what is under way is finished, what was not sent is given back. */
  signal: AbortSignal
  onProgress?(tally: Tally): void
}

const NOTHING_SAID: AnswerRecord = { errcode: null, errmsg: null, rid: null, msgid: null }

/**
 * Sends what a source claims, with bounded concurrency, and writes every verdict down in batches. The next claim
 * overlaps the sending; at most about two claims and one batch of verdicts are in memory. No connection to the database
 * is held while a request is under way.
 * A message that is `queued` is marked `sending` right before its request leaves, together with those that leave beside
 * it, and where its permit is not its own key its verdict is committed before the next one takes its place: so whatever
 * crashes, at most `concurrency` messages are in doubt for good.
 * Throws if the database stays away: what was in hand then lapses, and is taken over with the same permit.
 */
export async function deliverAll(deps: DeliverDeps, source: Source, options: DeliverOptions): Promise<Tally> {
  const { db, log, leaseMs, now } = deps
  const { brake, signal, closesAt } = options
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

  const marker = createGroupCommit<Delivery, boolean>({
    async commit(deliveries) {
      const marked = await markSending(db, deliveries)
      failpoint('mark.committed')
      return marked
    },
    weigh: () => 1,
    mayBeOneItemsFault: () => false,
    maxGroupWeight: MAX_LIST,
    maxWaitingWeight: Number.POSITIVE_INFINITY,
  })
  let underWay = 0

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
      const mustWait: boolean =
        outcome.verdict.kind === 'next_permit' ||
        !isOwnKey(delivery.channel, delivery.permitSource) ||
        isBacklogged()
      delivery = mustWait ? await settling : undefined
    }
  }

  async function attempt(delivery: Delivery): Promise<Outcome | undefined> {
    if (stopping() || isClosed(delivery)) return notSent(delivery)
    await pace.enter()
    // Not by until(): of several that wake up at once the first one is to be seen by the others.
    while (isHeldBack()) await wake.promise
    underWay++
    let answer: SendResult | undefined
    let left = false
    const mayLeave = async (): Promise<boolean> => {
      if (!isWanted(delivery) || !(await mark(delivery)) || !isWanted(delivery)) return false
      left = true
      failpoint('send.before')
      return true
    }
    try {
      const result = await deps.send(delivery, mayLeave)
      if (!left && !isWanted(delivery)) return leases.isHeld(delivery) ? notSent(delivery) : abandon(delivery)
      answer = result
      failpoint('send.after')
      const verdict = judge(delivery, result, deps.random(), deps.now())
      brake.observe(result, verdict)
      logVerdict(log, delivery, result, verdict)
      return { delivery, verdict, answer: recordOf(result), attempted: true }
    } finally {
      pace.leave(paceOf(answer))
      if (--underWay === 0) brake.drained()
      if (brake.halt) stop()
    }
  }

  function isHeldBack(): boolean {
    const mayProbe = brake.doubts === 1 && underWay === 0
    return brake.doubts > 0 && !mayProbe && !stopping()
  }

  const isClosed = (delivery: Delivery): boolean => now() >= closesAt(delivery.businessDate)

  function isWanted(delivery: Delivery): boolean {
    return !stopping() && !isClosed(delivery) && leases.isHeld(delivery)
  }

  /** False if it cannot be written, or if somebody else has the message by now: then our lease is over. */
  async function mark(delivery: Delivery): Promise<boolean> {
    if (delivery.state === 'sending') return true
    try {
      const isMarked = await marker.add(delivery)
      if (isMarked) delivery.state = 'sending'
      else delivery.leaseDeadline = Number.NEGATIVE_INFINITY
      return isMarked
    } catch (error) {
      fail(error)
      return false
    }
  }

  /** Claimed and then not sent: undone, unless an earlier attempt may have been delivered. */
  function notSent(delivery: Delivery): Outcome {
    const closed = isClosed(delivery)
    const why = closed ? 'its sending window closed' : brake.halt ? 'the run halted' : 'the service stopped'
    const answer = { ...NOTHING_SAID, errmsg: `not sent: ${why}` }
    return { delivery, verdict: verdictUnsent(delivery, closed), answer, attempted: false }
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

function verdictUnsent({ maybeSent }: Delivery, closed: boolean): Verdict {
  if (!maybeSent) return { kind: 'give_back' }
  return closed ? { kind: 'unknown' } : { kind: 'retry', afterMs: 0, maybeSent }
}

function paceOf(result: SendResult | undefined): 'went_well' | 'slow_down' | 'neither' {
  if (!result) return 'neither'
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
