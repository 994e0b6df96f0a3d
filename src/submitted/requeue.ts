import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { requeueTogether } from './requeue-together.js'
import { findMessage } from './status.js'
import type { SubmittedMessage } from './status-schemas.js'

/**
 * Queues a dead letter again, with a permit of its own and new attempts. `notAfter` replaces the time from which it is not
 * sent any more. Throws what requeueTogether says of it; the message then stays dead.
 */
export async function requeueMessage(
  db: Knex,
  { appId }: Pick<Account, 'appId'>,
  { id, notAfter }: { id: number; notAfter?: number | undefined },
  now: number,
): Promise<SubmittedMessage> {
  const refusal = (await requeueTogether(db, appId, { ids: [id], notAfter }, now)).get(id)
  if (refusal) throw refusal
  return findMessage(db, appId, id)
}
