import type { Knex } from 'knex'
import { ServiceError } from '../errors.js'
import { withdrawWaiting } from '../messages/withdraw.js'
import type { State } from './schemas.js'
import { findMessage } from './status.js'
import type { SubmittedMessage } from './status-schemas.js'

/** States in which a message waits, in nobody's hands. */
const WAITS: readonly State[] = ['queued', 'retry']

/**
 * Cancels a message that waits: its permit is given back. Cancelling it again changes nothing. Throws `not_found`, and
 * `message_sent` for one that is being sent, may have been sent, or has ended in another way.
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
  if (before.maybe_sent || !WAITS.includes(before.state)) throw tooLate(before)
  await withdrawWaiting(db, appId, [id], { why: `cancelled by ${by}` }, now)
  const after = await findMessage(db, appId, id)
  // Somebody took it for sending, or ended it, since we looked.
  if (after.state !== 'cancelled') throw tooLate(after)
  return after
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
