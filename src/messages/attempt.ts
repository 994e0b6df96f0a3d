import { failpoint } from '../lib/failpoint.js'
import type { Logger } from '../lib/logger.js'
import { permitMark } from '../lib/permit-mark.js'
import { maskOpenId } from '../lib/redact.js'
import type { Wake } from '../lib/wake.js'
import type { SendResult } from '../wechat/client.js'
import type { DeliverDeps, DeliverOptions } from './delivery.js'
import { type JudgedMessage, judgedUnsent, recordOf } from './judged.js'
import type { Leases } from './leases.js'
import { createMarking } from './marking.js'
import { type HeldMessage, traceIdOf } from './message.js'
import type { Pace } from './pace.js'
import { policyOf } from './policy.js'
import type { Stopping } from './stopping.js'
import { canRepeat, judge, judgeUnsent, type Verdict } from './verdict.js'

/**
 * One attempt to send a message: waits for its turn, lets the request leave if it still may, and judges the answer.
 * Returns the verdict, or undefined if the lease has lapsed meanwhile: the message then belongs to another process.
 */
export type Attempt = (message: HeldMessage) => Promise<JudgedMessage | undefined>

export function createAttempt(
  deps: DeliverDeps,
  { brake, closesAt }: DeliverOptions,
  { pace, leases, stopping, wake }: { pace: Pace; leases: Leases; stopping: Stopping; wake: Wake },
): Attempt {
  const mark = createMarking(deps.db)
  let underWay = 0

  const isClosed = (message: HeldMessage): boolean => deps.now() >= closesAt(message)
  const isHeldUp = (message: HeldMessage): boolean => brake.heldUpFor(message, deps.now()) > 0
  /** A message may wait for its turn until the key that would keep it from a second delivery has run out. */
  const isTooLate = (message: HeldMessage): boolean => message.maybeSent && !canRepeat(message, deps.now())
  const isWanted = (message: HeldMessage): boolean =>
    !stopping.isStopping() &&
    !isClosed(message) &&
    !isHeldUp(message) &&
    !isTooLate(message) &&
    leases.isHeld(message)

  /** After a doubt, a single request may probe whether WeChat judges messages again. */
  function isHeldBack(): boolean {
    const mayProbe = brake.doubts === 1 && underWay === 0
    return brake.doubts > 0 && !mayProbe && !stopping.isStopping()
  }

  async function markAndLook(message: HeldMessage): Promise<boolean> {
    const isMarked = await mark(message).catch((error: unknown) => {
      stopping.fail(error)
      return false
    })
    return isMarked && isWanted(message)
  }

  /** Calls `onLeaving` if the request may leave. Only a message that has yet to be marked is waited for. */
  function mayLeave(message: HeldMessage, onLeaving: () => void): boolean | Promise<boolean> {
    const letGo = (isAllowed: boolean): boolean => {
      if (isAllowed) onLeaving()
      return isAllowed
    }
    if (!isWanted(message)) return false
    return message.state === 'sending' ? letGo(true) : markAndLook(message).then(letGo)
  }

  /** A message that was claimed and not sent is given back, unless an earlier attempt may have been delivered. */
  function notSent(message: HeldMessage): JudgedMessage {
    const closed = isClosed(message)
    const heldUpMs = brake.heldUpFor(message, deps.now())
    const tooLate = isTooLate(message)
    const why = closed
      ? 'its sending window closed'
      : tooLate
        ? 'by now, sending it again could deliver it twice'
        : heldUpMs > 0
          ? 'its template was refused several times in a row'
          : brake.halt
            ? 'the run halted'
            : 'the service stopped'
    return judgedUnsent(
      message,
      judgeUnsent(message, { closed: closed || tooLate, heldUpMs }),
      `not sent: ${why}`,
    )
  }

  return async (message) => {
    if (stopping.isStopping() || isClosed(message) || isHeldUp(message)) return notSent(message)
    await pace.enter()
    // A loop instead of wake.until(): nothing runs between this check and underWay++, so when several wake at once,
    // the others see the first one.
    while (isHeldBack()) await wake.next()
    underWay++
    let answered: SendResult | undefined
    try {
      let left = false
      const result = await deps.send(message, () =>
        mayLeave(message, () => {
          left = true
          failpoint('send.before')
        }),
      )
      if (!left && !isWanted(message)) return leases.isHeld(message) ? notSent(message) : undefined
      answered = result
      deps.observe.answered(message, result)
      failpoint('send.after')
      const verdict = judge(message, result, deps.random(), deps.now())
      brake.observe(result, verdict, message)
      logVerdict(deps.log, message, result, verdict)
      return { message, verdict, answer: recordOf(result), attempted: true }
    } finally {
      pace.leave(answered ? policyOf(answered).pace : 'neither')
      if (--underWay === 0) brake.drained()
      stopping.look()
    }
  }
}

/**
 * Logged at debug: a line per message of a large run is more than anyone reads, and the message's row says the same.
 */
function logVerdict(log: Logger, message: HeldMessage, result: SendResult, verdict: Verdict): void {
  if (!log.isLevelEnabled('debug')) return
  log.debug({
    event: 'message.attempted',
    trace_id: traceIdOf(message.id),
    message_id: message.id,
    permit_id: message.permitId,
    permit: permitMark(message.formId),
    user_id: message.userId,
    open_id: maskOpenId(message.openId),
    verdict: verdict.kind,
    answer: result.kind,
    errcode: result.kind === 'refused' ? result.errcode : undefined,
    msgid: result.kind === 'accepted' ? result.msgid : undefined,
  })
}
