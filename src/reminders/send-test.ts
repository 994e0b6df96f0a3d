import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { inTransaction } from '../db/transaction.js'
import { ServiceError } from '../errors.js'
import { addDays, businessDate } from '../lib/business-date.js'
import { failpoint } from '../lib/failpoint.js'
import type { UserId } from '../lib/user-id.js'
import { createBrake } from '../messages/brake.js'
import { findOrAddCard } from '../messages/card-store.js'
import { claimOne } from '../messages/claim-one.js'
import { deliverAll } from '../messages/deliver.js'
import type { DeliverDeps } from '../messages/delivery.js'
import type { HeldMessage } from '../messages/message.js'
import { findGiver, findStanding, type StandingOfMessage } from '../messages/single-store.js'
import { renderReminder } from '../messages/text.js'
import { withdrawWaiting } from '../messages/withdraw.js'
import { findStreakUpTo } from '../sign-ins/sign-in.js'
import { countStopped } from '../users/stop-store.js'
import { findPersons } from '../users/store.js'
import { answerOf, type SentTest } from './send-test-answer.js'

const ATTEMPTS = 5

/**
 * Sends today's reminder to one person, now, as a message of its own: it takes a permit of that person and is settled
 * like any other, and does not count as the day's reminder. An attempt that certainly came to nothing is not repeated
 * later: the permit is given back. Throws `not_found` or `conflict`, before a message is written, for a person who is not
 * known, has no usable permit, or is not to be sent anything.
 */
export async function sendTest(
  deps: DeliverDeps,
  account: Account,
  openId: string,
  signal: AbortSignal,
): Promise<SentTest> {
  const { db, now } = deps
  const userId = await findUser(db, account.appId, openId)
  let message: HeldMessage | undefined
  // Claimed where deliverAll asks for it: a command that is stopped before that has claimed nothing.
  const source = {
    async next() {
      if (message) return undefined
      message = await claim(deps, account, openId, userId)
      return [message]
    },
  }
  const closesAt = () => Number.POSITIVE_INFINITY
  await deliverAll(deps, source, { kind: 'api', brake: createBrake(), closesAt, signal })
  if (!message) throw new ServiceError('not_ready', 'Stopped before anything was sent')
  const standing = await standingOf(db, message.id)
  if (standing.state !== 'retry' || standing.maybe_sent === 1) return answerOf(message, standing)
  await withdrawWaiting(
    db,
    account.appId,
    [message.id],
    { why: 'not sent: WeChat did not take the test' },
    now(),
  )
  const { state } = await standingOf(db, message.id)
  return answerOf(message, { ...standing, state })
}

async function findUser(db: Knex, appId: string, openId: string): Promise<UserId> {
  const [person] = await findPersons(db, appId, [openId])
  const userId = person?.userId ?? (await findGiver(db, appId, openId))
  if (userId === undefined)
    throw new ServiceError(
      'not_found',
      person
        ? 'This person has logged in and has no user yet: let the mini-program or its backend report a permit first'
        : 'No such person in this account: open_ids of another app look alike. Let the person use the app once',
    )
  if ((await countStopped(db, { appId, openId })).stopped > 0)
    throw new ServiceError(
      'conflict',
      'This person has opted out or was refused by WeChat, and is sent nothing: `explain` says why, `bring-back --open-id` undoes it',
    )
  return userId
}

async function claim(
  { db, leaseMs, now }: DeliverDeps,
  account: Account,
  openId: string,
  userId: UserId,
): Promise<HeldMessage> {
  const at = now()
  const date = businessDate(at, account.timezone)
  const { appId } = account
  const streak = await findStreakUpTo(db, { appId, userId, day: addDays(date, -1) })
  const said = Object.entries(renderReminder(account.data, { date, streak }))
  const data = Object.fromEntries(said.map(([key, { value }]) => [key, value]))
  const card = await findOrAddCard(db, { ...account, data }, at)
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const one = await inTransaction(db, (trx) => claimOne(trx, { appId, userId, openId, card, leaseMs }, at))
    if (one.kind === 'claimed') {
      failpoint('claim.committed')
      return one.message
    }
    if (one.kind === 'no_permit') break
  }
  throw new ServiceError(
    'conflict',
    `This person has no permit that a ${account.channel} message of this template could take now: nothing was sent. ` +
      'Let the person submit a form or accept the subscription in the app, then try again',
  )
}

async function standingOf(db: Knex, id: number): Promise<StandingOfMessage> {
  const standing = await findStanding(db, id)
  if (!standing) throw new Error(`Message ${id} is gone`)
  return standing
}
