import { MINUTE_MS, SECOND_MS } from '../lib/durations.js'
import type { SendResult } from '../wechat/client.js'
import { CODE } from '../wechat/codes.js'
import type { ErrcodeEntry } from '../wechat/errcodes.js'
import { backoff, patientBackoff } from './backoff.js'
import type { HeldMessage } from './message.js'
import { POLICIES } from './policy.js'

/** What an attempt means for its message and permit. messages/settle.ts writes every verdict down. */
export type Verdict =
  | { kind: 'delivered' }
  /**
   * Same message, same permit, later. `exhausted`: it has used up its attempts, and is repeated only to resolve the
   * doubt. `spared`: the answer said nothing of this message, so the attempt does not count.
   */
  | { kind: 'retry'; afterMs: number; maybeSent: boolean; exhausted?: true; spared?: true }
  /** The permit is spoiled: same message, with the user's next one. */
  | { kind: 'next_permit' }
  | { kind: 'failed'; stops?: 'opt_out' | 'block' }
  /** It may have been delivered, and no further request would tell us. */
  | { kind: 'unknown'; stops?: 'opt_out' | 'block' }
  /**
   * Certainly not delivered, and not the user's fault: permit and counter are restored. `as` says what that is for the
   * backend that submitted it.
   */
  | { kind: 'give_back'; as?: 'dead' | 'expired' }

/** A reminder is given up after this many attempts: with the pauses of backoff.ts, about half a minute. */
export const MAX_ATTEMPTS = 6
/**
 * A submitted message has more patience, because no run claims its user again: with pauses of up to ten minutes, these
 * attempts take about a quarter of an hour. What says nothing of the message does not count: while WeChat is away, the
 * token is refused or the quota is spent, it waits until its not_after.
 */
export const MAX_SUBMITTED_ATTEMPTS = 12
const SUBMITTED_CAP_MS = 10 * MINUTE_MS
/**
 * A submitted message that was answered with a mistake of ours is dead after this many attempts. Codes such as 40037
 * were reported to come and go within minutes, so the first one is not believed.
 */
export const MAX_MISTAKEN_ATTEMPTS = 3
const MISTAKE_PAUSE_MS = 30 * SECOND_MS

/**
 * A message that may have been delivered is repeated until its sending window closes: an outage can take hours, and
 * the answer still tells whether it arrived. Twelve hours make about a hundred attempts; the limit is for a window
 * that never closes.
 */
const DOUBT_PAUSE_MS = 5 * MINUTE_MS
export const MAX_ATTEMPTS_IN_DOUBT = 200

/**
 * client_msg_id holds for 10 minutes (公众号模板消息) from the first request that arrived, which was not before the claim. A
 * request may be 20 s under way (wechat/http.ts), so the last one leaves that much earlier.
 */
export const CLIENT_MSG_ID_MS = 10 * MINUTE_MS - 20 * SECOND_MS

/** The last request that the key can answer leaves this much before it runs out, on a busy machine too. */
export const LAST_CHANCE_MS = 30 * SECOND_MS

/**
 * Whether the permit itself tells, at any later time, whether an earlier attempt arrived. A form_id does: it is
 * single-use at WeChat. A prepay_id does not: it has three uses.
 */
export function isOwnKey(
  channel: HeldMessage['channel'],
  permitSource: HeldMessage['permitSource'],
): boolean {
  return channel === 'form_id' && permitSource === 'form'
}

/**
 * Whether the same message can be sent again without a second delivery: with a permit that is its own key, or while a
 * service account's client_msg_id holds. A subscribe message has no key at all (发送订阅消息).
 */
export function canRepeat(
  { channel, permitSource, createdAt }: Pick<HeldMessage, 'channel' | 'permitSource' | 'createdAt'>,
  now: number,
): boolean {
  return isOwnKey(channel, permitSource) || (channel === 'official' && now < createdAt + CLIENT_MSG_ID_MS)
}

/** The verdict on one attempt. `random` in [0, 1) spreads the retries. */
export function judge(message: HeldMessage, result: SendResult, random: number, now: number): Verdict {
  switch (result.kind) {
    case 'accepted':
      return { kind: 'delivered' }
    case 'unreachable':
      return tryAgain(message, random, now, { isSpared: true })
    case 'ambiguous':
      return canRepeat(message, now)
        ? tryAgain({ ...message, maybeSent: true }, random, now, { isSpared: true })
        : { kind: 'unknown' }
    case 'refused':
      return judgeRefusal(message, result.entry, random, now)
  }
}

/** Whether any message would have met this refusal: WeChat is busy, the token is refused, the quota is spent. */
function isOfAll(entry: ErrcodeEntry): boolean {
  if (entry.class === 'transient') return entry.errcode !== CODE.sameOpenidConcurrently
  return entry.class === 'token' || entry.class === 'quota' || entry.isOfToken === true
}

function judgeRefusal(message: HeldMessage, entry: ErrcodeEntry, random: number, now: number): Verdict {
  // Some refusals may hide a message that went out (see errcodes.ts). Where the permit resolves a doubt, having one
  // costs nothing. Elsewhere a refusal is taken at its word: otherwise a busy WeChat would cost everyone their
  // permit.
  const hidesDelivery = entry.maybeSent === true && isOwnKey(message.channel, message.permitSource)
  const maybeSent = message.maybeSent || hidesDelivery
  const { permit } = POLICIES[entry.class]
  switch (permit) {
    case 'delivers':
      return { kind: 'delivered' }
    case 'replaced':
      if (message.channel !== 'form_id') return { kind: 'failed' }
      if (!message.maybeSent) return { kind: 'next_permit' }
      // formIdUsed: the earlier attempt used the permit up, so it was the delivery. Any other dead permit proves
      // nothing.
      return entry.errcode === CODE.formIdUsed ? { kind: 'delivered' } : { kind: 'unknown' }
    case 'lost': {
      // A refusal now says nothing about the earlier attempt, which may have been the delivery.
      const kind = message.maybeSent ? 'unknown' : 'failed'
      return entry.stops ? { kind, stops: entry.stops } : { kind }
    }
    case 'kept':
    case 'in_doubt':
      return tryAgain({ ...message, maybeSent }, random, now, {
        isSpared: isOfAll(entry),
        atLeastMs: entry.retryAfterMs,
      })
    case 'given_back':
      // A message that may have been delivered is never given back: a second one could follow it.
      if (maybeSent) return tryAgain({ ...message, maybeSent }, random, now, { isSpared: isOfAll(entry) })
      return message.kind === 'api' ? judgeMistake(message, entry, random) : { kind: 'give_back' }
  }
}

/** A token or a quota is nobody's message: it waits for that until its not_after. Anything else may be this message. */
function judgeMistake(message: HeldMessage, entry: ErrcodeEntry, random: number): Verdict {
  const afterMs = Math.round(MISTAKE_PAUSE_MS * (1 + random))
  if (isOfAll(entry)) return { kind: 'retry', afterMs, maybeSent: false, spared: true }
  if (message.attempts + 1 - message.spared >= MAX_MISTAKEN_ATTEMPTS) return { kind: 'give_back', as: 'dead' }
  return { kind: 'retry', afterMs, maybeSent: false }
}

/**
 * The verdict on a message whose request did not leave: its window closed, messages like it are held up, or the delivery
 * ends. A reminder is given back for a run to claim again; a submitted message keeps its permit and waits.
 */
export function judgeUnsent(
  { kind, maybeSent }: HeldMessage,
  { closed, heldUpMs = 0 }: { closed: boolean; heldUpMs?: number },
): Verdict {
  if (closed)
    return maybeSent
      ? { kind: 'unknown' }
      : { kind: 'give_back', ...(kind === 'api' ? { as: 'expired' } : {}) }
  if (maybeSent || kind === 'api') return { kind: 'retry', afterMs: heldUpMs, maybeSent }
  return { kind: 'give_back' }
}

function tryAgain(
  message: HeldMessage,
  random: number,
  now: number,
  { isSpared, atLeastMs = 0 }: { isSpared: boolean; atLeastMs?: number | undefined },
): Verdict {
  const { maybeSent, kind } = message
  const patience =
    kind === 'api'
      ? { attempts: MAX_SUBMITTED_ATTEMPTS, capMs: SUBMITTED_CAP_MS }
      : { attempts: MAX_ATTEMPTS }
  const whileKeyHolds = (pauseMs: number): number =>
    maybeSent ? Math.max(atLeastMs, Math.min(pauseMs, lastChanceInMs(message, now) ?? pauseMs)) : pauseMs
  // Only what ends at a not_after may be tried without a limit.
  if (isSpared && message.notAfter !== null) {
    const pauseMs = Math.max(atLeastMs, patientBackoff(message.attempts + 1, random, SUBMITTED_CAP_MS))
    return { kind: 'retry', afterMs: whileKeyHolds(pauseMs), maybeSent, spared: true }
  }
  const attempts = message.attempts + 1 - message.spared
  if (attempts < patience.attempts) {
    const pauseMs = atLeastMs + backoff(attempts, random, patience.capMs)
    return { kind: 'retry', afterMs: whileKeyHolds(pauseMs), maybeSent }
  }
  if (!maybeSent) return { kind: 'give_back', ...(kind === 'api' ? { as: 'dead' } : {}) }
  const afterMs = whileKeyHolds(Math.max(atLeastMs, Math.round(DOUBT_PAUSE_MS * (1 + random))))
  return attempts < MAX_ATTEMPTS_IN_DOUBT && canRepeat(message, now + afterMs)
    ? { kind: 'retry', afterMs, maybeSent, exhausted: true }
    : { kind: 'unknown' }
}

/** When a service account's client_msg_id can last be asked whether the message arrived; undefined if that is past. */
function lastChanceInMs({ channel, createdAt }: HeldMessage, now: number): number | undefined {
  const leftMs = createdAt + CLIENT_MSG_ID_MS - LAST_CHANCE_MS - now
  return channel === 'official' && leftMs > 0 ? leftMs : undefined
}
