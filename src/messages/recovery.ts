import type { Knex } from 'knex'
import { inTransaction } from '../db/transaction.js'
import { failpoint } from '../lib/failpoint.js'
import { sortedUnique } from '../lib/sorted.js'
import { addOutcomes } from '../runs/outcomes.js'
import { waitForTheirTime } from './before-time.js'
import { createBrake } from './brake.js'
import { deliverAll } from './deliver.js'
import type { DeliverDeps, Source } from './delivery.js'
import { findHandedOver, followPermits } from './handed-over.js'
import { findHeld, findUnwanted } from './held-store.js'
import { type JudgedMessage, judgedUnsent } from './judged.js'
import * as store from './lease-store.js'
import type { HeldMessage, MessageKind } from './message.js'
import type { SendingObserver } from './observer.js'
import { waiting } from './outcome.js'
import { type Allowance, takeCalls } from './quota-count.js'
import { giveBackTo } from './quota-store.js'
import { takeDueReminders } from './retry-store.js'
import { settleBatch } from './settle.js'
import { markClaimed, recordInterrupted } from './submitted-store.js'
import { takeInTurns } from './take-turns.js'
import { addTallies, emptyTally, type Tally } from './tally.js'
import { canRepeat, judgeUnsent } from './verdict.js'
import { createDeadlines, type SendingWindow } from './window.js'

const BATCH = 500
/** Lapsed claims that one takeover looks at. There are more only if many processes died at once. */
const MAX_CLAIMS = 20

export interface Takeover {
  /** To be sent now. */
  messages: HeldMessage[]
  /** How many were taken over, including those settled at once. */
  taken: number
  /** How many of those had a lease that lapsed; the retry of the others was due. */
  lapsed: number
  /** The tally of those settled at once. */
  tally: Tally
}

export interface TakeoverOptions {
  limit: number
  leaseMs: number
  now: number
  kind?: MessageKind
  /** Leaves those whose time has come in the queue. */
  only?: 'lapsed'
  /** The day's quota, of which each message takes a call. */
  quota?: Allowance | undefined
  /** In [0, 1): which backend's messages come first. */
  random?: number
}

/**
 * Takes over messages of one kind that a dead process left, and those whose time or retry has come. Returns the ones to
 * be sent now, with the permit they had. The others (too late, no longer wanted, not to be repeated) are settled at once.
 * Throws QuotaMoved if another process took the calls that this one would need.
 */
export async function takeOver(
  db: Knex,
  window: SendingWindow,
  { limit, leaseMs, now, kind = 'reminder', only, quota, random = 0 }: TakeoverOptions,
): Promise<Takeover> {
  const { messages, unwanted, handedOver, lapsedIds } = await inTransaction(db, async (trx) => {
    const lapsed = await takeLapsed(trx, window.appId, { kind, limit, now })
    const room = only === 'lapsed' ? 0 : limit - lapsed.ids.length
    const due = await takeDue(trx, window.appId, { kind, now, limit: room, random })
    const ids = sortedUnique([...lapsed.ids, ...due])
    const claims = lapsed.claims.map(({ id }) => id)
    if (ids.length === 0) {
      await closeEmpty(trx, claims)
      return { messages: [], unwanted: new Map<number, never>(), handedOver: [], lapsedIds: [] }
    }
    const lease = await store.openClaim(trx, window.appId, leaseMs, now, kind, quota?.use)
    await recordInterrupted(trx, ids, now)
    await store.makeOurs(trx, ids, lease, now)
    await markClaimed(trx, ids, now)
    await closeEmpty(trx, claims)
    const messages = inOrderOf([...lapsed.ids, ...due], await findHeld(trx, ids, lease))
    const handedOver = await findHandedOver(trx, window.appId, messages)
    const theirs = handedOver.map(({ message }) => [message.id, 'handed_over'] as const)
    const unwanted = new Map([...theirs, ...(await findUnwanted(trx, ids))])
    const waited = new Set(due)
    const ended = messages.filter(({ id }) => waited.has(id)).map(({ runId }) => waiting(runId, -1))
    await addOutcomes(trx, ended, now)
    for (const { quota: counted, unsent } of lapsed.claims)
      if (counted && unsent > 0) await giveBackTo(trx, counted, unsent)
    if (quota) await takeCalls(trx, quota, ids.length)
    return { messages, unwanted, handedOver, lapsedIds: lapsed.ids }
  })
  failpoint('take_over.committed')
  const closesAt = createDeadlines(window)
  const endings = messages.flatMap((message) => {
    const isClosed = now >= closesAt(message)
    const ending = endingWithoutSending(message, unwanted.get(message.id), isClosed, now)
    return ending ? [ending] : []
  })
  const tally = endings.length > 0 ? (await settleBatch(db, endings, now)).tally : emptyTally()
  const ended = new Set(endings.map(({ message }) => message.id))
  const left = handedOver.filter(({ message }) => ended.has(message.id))
  if (left.length > 0) await followPermits(db, window.appId, left, now)
  const toSend = messages.filter(({ id }) => !ended.has(id))
  const [first] = messages
  if (first && toSend.length === 0) await store.closeClaims(db, [first.lease.claimId])
  return { messages: toSend, taken: messages.length, lapsed: lapsedIds.length, tally }
}

/** In the order in which they were taken, and not in that of their ids: backends have taken turns. */
function inOrderOf(ids: number[], messages: HeldMessage[]): HeldMessage[] {
  const held = new Map(messages.map((message) => [message.id, message]))
  return ids.flatMap((id) => held.get(id) ?? [])
}

function takeDue(
  trx: Knex.Transaction,
  appId: string,
  { kind, ...of }: { kind: MessageKind; now: number; limit: number; random: number },
): Promise<number[]> {
  if (of.limit === 0) return Promise.resolve([])
  return kind === 'api' ? takeInTurns(trx, appId, of) : takeDueReminders(trx, appId, of.now, of.limit)
}

/** Tells of a takeover that found something. */
export function observeTakeover(observe: SendingObserver, { taken, lapsed, tally }: Takeover): void {
  if (taken === 0) return
  observe.tookOver(lapsed, taken - lapsed)
  observe.settled(tally)
}

/**
 * Locks messages of lapsed claims, and the claims. `unsent`: those whose request cannot have left. A claim of which
 * others hold messages keeps these.
 */
async function takeLapsed(
  trx: Knex.Transaction,
  appId: string,
  { kind, limit, now }: { kind: MessageKind; limit: number; now: number },
): Promise<{ ids: number[]; claims: (store.LapsedClaim & { unsent: number })[] }> {
  const claims = await store.lockLapsedClaims(trx, appId, kind, MAX_CLAIMS)
  const ids: number[] = []
  const looked: (store.LapsedClaim & { unsent: number })[] = []
  for (const claim of claims) {
    const room = limit - ids.length
    const messages = room > 0 ? await store.lockOfClaim(trx, claim.id, room) : []
    ids.push(...messages.map(({ id }) => id))
    looked.push({ ...claim, unsent: messages.filter(({ state }) => state === 'queued').length })
  }
  const early = kind === 'api' ? await waitForTheirTime(trx, appId, ids, now) : new Set<number>()
  return { ids: ids.filter((id) => !early.has(id)), claims: looked }
}

async function closeEmpty(trx: Knex.Transaction, claimIds: number[]): Promise<void> {
  const empty: number[] = []
  for (const claimId of claimIds) if (!(await store.hasOpenMessages(trx, claimId))) empty.push(claimId)
  await store.closeClaims(trx, empty)
}

const NOT_WANTED = {
  signed_in: 'the user has signed in since',
  stopped: 'the user has opted out or been blocked since',
  handed_over: 'its receiver was given to another user since',
  textless: 'somebody has deleted the row that says what it says',
}

/** What becomes of a message that is not to be sent any more; undefined if it is to be sent. */
function endingWithoutSending(
  message: HeldMessage,
  unwanted: keyof typeof NOT_WANTED | undefined,
  isClosed: boolean,
  now: number,
): JudgedMessage | undefined {
  if (message.maybeSent && unwanted === 'textless') {
    const why = `its attempt broke off, and ${NOT_WANTED.textless}`
    return judgedUnsent(message, { kind: 'unknown' }, why)
  }
  if (message.maybeSent) {
    if (!canRepeat(message, now)) {
      const why = 'its attempt broke off, and sending it again could deliver it twice'
      return judgedUnsent(message, { kind: 'unknown' }, why)
    }
    if (!isClosed) return undefined
    const why = 'its attempt broke off, and its sending window closed before it could be repeated'
    return judgedUnsent(message, { kind: 'unknown' }, why)
  }
  if (isClosed)
    return judgedUnsent(
      message,
      judgeUnsent(message, { closed: true }),
      'not sent: its sending window closed',
    )
  if (!unwanted) return undefined
  const again = message.attempts > 0 || message.kind === 'reminder' ? ' again' : ''
  return judgedUnsent(message, { kind: 'give_back' }, `not sent${again}: ${NOT_WANTED[unwanted]}`)
}

/**
 * Sends and settles the reminders that are left now, in one pass, without waiting for retries that are due later.
 * Messages that this process took over before and gave up (because the database was unreachable) come back the same
 * way.
 */
export async function recover(
  deps: DeliverDeps,
  window: SendingWindow,
  options: { signal: AbortSignal; onProgress?(tally: Tally): void },
): Promise<Tally> {
  const { db, leaseMs, now, observe } = deps
  let settledAtOnce = emptyTally()
  const source: Source = {
    async next() {
      const takeover = await takeOver(db, window, { limit: BATCH, leaseMs, now: now() })
      const { messages, taken, tally } = takeover
      observeTakeover(observe, takeover)
      settledAtOnce = addTallies(settledAtOnce, tally)
      return taken > 0 ? messages : undefined
    },
  }
  const closesAt = createDeadlines(window)
  const sent = await deliverAll(deps, source, {
    ...options,
    kind: 'reminder',
    brake: createBrake(),
    closesAt,
  })
  return addTallies(sent, settledAtOnce)
}
