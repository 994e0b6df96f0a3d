import type { SendRequest } from '../../src/sandbox/send-request.js'
import { type Disturbance, LEASE_MS, SEND_CONCURRENCY } from './processes.js'

/** How messages without an idempotency key came to be `unknown`. */
export interface UnknownCounts {
  messages: number
  /** WeChat, or the line, kept the answer to itself, or it came too late. */
  answer_lost: number
  /** The line broke when the request had been handed to it, and WeChat has not seen it. */
  line_broken: number
  /** The request had reached WeChat when its process was killed or frozen, or the database went away. */
  under_way: number
  most_under_way_at_once: number
  /**
   * The process stood still past its lease, without our doing: it says so in its log, or went on when it was too late.
   */
  stalled: number
  /** No request has reached WeChat: killed or frozen between the mark and the request. */
  marked_and_unsent: number
  most_unsent_at_once: number
}

export interface AskedMessage {
  id: number
  state: string
  created_at: number
  settled_at: number | null
  errcode: number | null
  errmsg: string | null
  /** The requests for it that have reached WeChat, oldest first. */
  requests: SendRequest[]
}

export interface UnknownFindings {
  counts: UnknownCounts
  /** More than a kill or a freeze can explain: claimed, never sent, and lost all the same. */
  lost_unsent: object[]
  /** WeChat said "not now", and the message was given up as if it might have been sent. */
  lost_to_busy: object[]
}

/** Answers by which WeChat does not take a message (wechat-api: 系统繁忙, 频率限制), and statuses of RFC 9110 and 6585. */
export const BUSY_CODES = [-1, 45011, 43108, 61450, 200001]
export const BUSY_STATUSES = [408, 425, 429, 503]

/** What an answered request may wait for its verdict's commit on a busy machine. */
const COMMIT_MS = LEASE_MS
/**
 * What a process had begun to write when it was frozen reaches WeChat as it wakes: seen 1 ms after it on a busy
 * machine.
 */
const WAKING_MS = 500

/**
 * A claim is not a send, so a message may be unknown only because of a request that reached WeChat: its answer was lost,
 * or the process was before it was written down. What no request explains was marked as being sent by a process that was
 * disturbed before the request left: at most as many at each disturbance as are marked at once.
 */
export function explainUnknowns(
  messages: AskedMessage[],
  disturbances: Disturbance[],
  overtaken: ReadonlySet<number> = new Set(),
): UnknownFindings {
  const unknown = messages.filter(({ state }) => state === 'unknown')
  const busy = unknown.filter(({ errcode }) => isBusy(errcode))
  const rest = unknown.filter((message) => !busy.includes(message))
  const underWay = new Map<Disturbance, number>()
  const unexplained: AskedMessage[] = []
  let [lost, broken, stalled] = [0, 0, 0]
  for (const message of rest) {
    const last = message.requests.at(-1)
    const disturbance = last && disturbances.find((one) => broke(one, last))
    if (last && (hasLostItsAnswer(last) || saysSo(message))) lost++
    else if (saysSo(message)) broken++
    else if (disturbance) underWay.set(disturbance, (underWay.get(disturbance) ?? 0) + 1)
    else if (overtaken.has(message.id) || wentOnAfterItsEnd(message) || wasOvertakenAtWork(message)) stalled++
    else unexplained.push(message)
  }
  const unsent = assign(unexplained, disturbances)
  return {
    counts: {
      messages: unknown.length,
      answer_lost: lost,
      line_broken: broken,
      under_way: sum(underWay),
      most_under_way_at_once: Math.max(0, ...underWay.values()),
      stalled,
      marked_and_unsent: sum(unsent.taken),
      most_unsent_at_once: Math.max(0, ...unsent.taken.values()),
    },
    lost_unsent: unsent.left,
    lost_to_busy: busy,
  }
}

function isBusy(errcode: number | null): boolean {
  return errcode !== null && (BUSY_CODES.includes(errcode) || BUSY_STATUSES.includes(errcode))
}

/** A request of its was not over when another process ended it, or came later: with a new token it is asked again. */
function wentOnAfterItsEnd({ requests, settled_at }: AskedMessage): boolean {
  return settled_at !== null && requests.some(({ at, endedAt }) => (endedAt ?? at) > settled_at)
}

/**
 * Another process took it over when it had just been answered: its own had not renewed the lease for so long. Seen of one
 * whose token was refused, while it fetched the next.
 */
function wasOvertakenAtWork({ requests, settled_at, errmsg }: AskedMessage): boolean {
  const endedAt = requests.at(-1)?.endedAt
  if (!errmsg?.startsWith('its attempt broke off') || endedAt === undefined || settled_at === null)
    return false
  return endedAt + COMMIT_MS > settled_at
}

/** As messages/deliver.ts writes down an attempt that broke off while its process lived. */
function saysSo({ errmsg }: AskedMessage): boolean {
  return errmsg?.startsWith('ambiguous') === true
}

/** Not if it was answered by a code, or by a status that says the request was not taken up. */
function hasLostItsAnswer({ outcome, status }: SendRequest): boolean {
  if (outcome === 'wrong_content_type') return false
  return typeof outcome === 'string' && !(status !== undefined && BUSY_STATUSES.includes(status))
}

/** What a process wrote before its death may lie in the line, and arrive when it is long gone. */
function broke({ kind, client, from, until }: Disturbance, request: SendRequest): boolean {
  if (client !== undefined && client !== request.client) return false
  const wasThere = kind === 'kill' || until + WAKING_MS >= request.at
  return wasThere && from <= (request.endedAt ?? Number.POSITIVE_INFINITY) + COMMIT_MS
}

/** Gives each disturbance the messages that were alive in it, those first that ended first, as many as it can explain. */
function assign(
  messages: AskedMessage[],
  disturbances: Disturbance[],
): { taken: Map<Disturbance, number>; left: AskedMessage[] } {
  let left = [...messages].sort((a, b) => (a.settled_at ?? 0) - (b.settled_at ?? 0))
  const taken = new Map<Disturbance, number>()
  for (const disturbance of [...disturbances].sort((a, b) => a.until - b.until)) {
    const its = left.filter((m) => wasHeldIn(m, disturbance)).slice(0, SEND_CONCURRENCY)
    if (its.length > 0) taken.set(disturbance, its.length)
    left = left.filter((message) => !its.includes(message))
  }
  return { taken, left }
}

/** On a busy machine a process can stand still past its lease before it is killed: then the message has ended already. */
function wasHeldIn(
  { created_at, requests, settled_at }: AskedMessage,
  { from, until }: Disturbance,
): boolean {
  const earliest = requests.at(-1)?.endedAt ?? created_at
  return until >= earliest && from <= (settled_at ?? Number.POSITIVE_INFINITY) + LEASE_MS
}

function sum(counts: Map<Disturbance, number>): number {
  return [...counts.values()].reduce((total, n) => total + n, 0)
}
