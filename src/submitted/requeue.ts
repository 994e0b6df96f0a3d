import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { isUsable, lockPermitsFor, PermitsMoved, spendOnMessages } from '../books/index.js'
import { needsPermit } from '../channel.js'
import { inRequest } from '../db/transaction.js'
import { ServiceError } from '../errors.js'
import { failpoint } from '../lib/failpoint.js'
import { addWaits } from '../messages/retry-store.js'
import { LONGEST_WAIT_MS } from './check.js'
import { type Receiver, receiversOf } from './receivers.js'
import * as store from './requeue-store.js'
import { findMessage, noSuchMessage, stateOf } from './status.js'
import type { SubmittedMessage } from './status-schemas.js'
import { findSubmitted, type SubmittedRow } from './status-store.js'

/**
 * Queues a dead letter again, with a permit of its own and new attempts, on the channel that it was submitted for: the
 * account may have moved since, and its texts are those of a template there. `notAfter` replaces the time from which it
 * is not sent any more. Throws `not_found`, `message_not_dead`, `message_expired` where that time is over, `no_permit`,
 * `user_stopped` and `user_not_bound`; the message then stays dead.
 */
export async function requeueMessage(
  db: Knex,
  { appId }: Pick<Account, 'appId'>,
  { id, notAfter }: { id: number; notAfter?: number | undefined },
  now: number,
): Promise<SubmittedMessage> {
  const [dead] = await findSubmitted(db, appId, [id])
  if (!dead) throw noSuchMessage(id)
  if (stateOf(dead) !== 'dead') throw notDead(stateOf(dead))
  const until = validUntil(dead, notAfter, now)
  const { channel } = dead
  const { userId, openId } = await receiverOf(db, dead)
  await inRequest(
    db,
    async (trx) => {
      const usable = isUsable({ channel, templateId: dead.template_id }, now)
      const [permitId = null] = needsPermit(channel)
        ? await lockPermitsFor(trx, appId, [{ userId, openId, usable }])
        : []
      if (permitId === null && needsPermit(channel))
        throw new ServiceError(
          'no_permit',
          'The user has no permit that would be valid: queue it again when there is one',
        )
      if (!(await store.reopen(trx, { appId, id, permitId, openId, notAfter: until }, now))) {
        const [row] = await findSubmitted(trx, appId, [id])
        throw notDead(row ? stateOf(row) : 'deleted')
      }
      if (permitId !== null) await spendOnMessages(trx, appId, [{ id, userId }], now)
      await addWaits(trx, appId, [{ id, kind: 'api', submittedBy: dead.submitted_by, nextAttemptAt: now }])
      failpoint('submit.in_transaction')
    },
    (error) => error instanceof PermitsMoved,
  )
  return findMessage(db, appId, id)
}

/** The one that it was for, if that still is this user's. */
async function receiverOf(
  db: Knex,
  { app_id: appId, channel, user_id: userId, open_id: openId, template_id: templateId }: SubmittedRow,
): Promise<Receiver> {
  const named = openId === null ? { userId } : { openId }
  const [receiver] = await receiversOf(db, { appId, channel }, [{ named, templateId }])
  if (receiver instanceof ServiceError) throw receiver
  if (receiver?.userId !== userId)
    throw new ServiceError('user_not_bound', 'The open_id of this message is bound to another user by now')
  return receiver
}

function validUntil({ not_after }: SubmittedRow, notAfter: number | undefined, now: number): number {
  if (notAfter !== undefined && (notAfter <= now || notAfter > now + LONGEST_WAIT_MS))
    throw new ServiceError('invalid_request', 'not_after: must be within 7 days from now', {
      field: 'not_after',
    })
  const until = notAfter ?? not_after
  if (until <= now)
    throw new ServiceError(
      'message_expired',
      'not_after of this message is over: send a new not_after to queue it again',
    )
  return until
}

function notDead(state: string): ServiceError {
  return new ServiceError(
    'message_not_dead',
    `The message is ${state}: only a dead letter can be queued again`,
    {
      state,
    },
  )
}
