import type { Knex } from 'knex'
import { ServiceError } from '../errors.js'
import { withdrawWaiting } from '../messages/withdraw.js'
import type { State } from './schemas.js'
import { findMessage } from './status.js'
import type { SubmittedMessage } from './status-schemas.js'

/** States in which a message waits, in nobody's hands. */
const WAITS: readonly State[] = ['queued', 'retry']

/**
 * Cancels a message that waits: its permit is given back. Cancelling it again changes nothing. Throws `not_found`,
 * `message_sent` for one that is being sent, may have been sent, or has ended in another way, and `overloaded` for one in
 * somebody's hands who has not sent it: who asks again is told what came of it.
 */
export async function cancelMessage(
  db: Knex,
  appId: string,
  id: number,
  now: number,
  by: 'its backend' | 'an operator' = 'its backend',
): Promise<SubmittedMessage> {
  const before = await findMessage(db, appId, id)
  if (before.state === 'cancelled') return before
  if (before.maybe_sent || !WAITS.includes(before.state)) throw refusal(before, now)
  await withdrawWaiting(db, appId, [id], { why: `cancelled by ${by}` }, now)
  const after = await findMessage(db, appId, id)
  // Somebody took it for sending, or ended it, since we looked.
  if (after.state !== 'cancelled') throw refusal(after, now)
  return after
}

function refusal(message: SubmittedMessage, now: number): ServiceError {
  return isHeldUnsent(message, now)
    ? new ServiceError(
        'overloaded',
        'Another call has the message in hand and has not sent it; try again shortly',
      )
    : tooLate(message)
}

/**
 * It is about to be sent, or another call cancels it; a process that died while it did either lets go of it after 15 s.
 * Nobody takes a message for sending before its time, so one that is held then is being cancelled.
 */
function isHeldUnsent({ state, maybe_sent, not_before_at }: SubmittedMessage, now: number): boolean {
  if (maybe_sent) return false
  return WAITS.includes(state) || (state === 'sending' && Date.parse(not_before_at) > now)
}

function tooLate({ state, maybe_sent }: SubmittedMessage): ServiceError {
  const why =
    maybe_sent && WAITS.includes(state)
      ? 'The message may have reached WeChat, and is being repeated to find out'
      : state === 'sending'
        ? 'The message is being sent'
        : `The message is ${state}`
  return new ServiceError('message_sent', `${why}: it can no longer be cancelled`, { state })
}
