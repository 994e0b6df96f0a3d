import type { Account } from '../../src/account.js'
import type { UserId } from '../../src/lib/user-id.js'
import type { Tally } from '../../src/messages/tally.js'
import type { RemindDeps } from '../../src/reminders/run.js'
import { createIntake } from '../../src/submitted/intake.js'
import { readSubmission } from '../../src/submitted/read-request.js'
import type { Accepted, Item } from '../../src/submitted/schemas.js'
import { createSubmittedWorker } from '../../src/submitted/worker.js'
import { TEMPLATE_ID } from './constants.js'
import type { World } from './world.js'

/** Submitted messages in a world: a backend's calls without HTTP, and a worker of a process. */

let keys = 0

/**
 * Submits one message to each user, or as many to an `open_id`, in one batch. Answers their ids and states in that
 * order.
 */
export async function submitTo(
  world: Pick<World, 'db' | 'account' | 'clock'>,
  userIds: UserId[],
  changes: Partial<Item> & { key?: string; account?: Partial<Account>; by?: string } = {},
): Promise<Accepted[]> {
  const { key = `key-${++keys}`, account: changed, by = 'shop', ...fields } = changes
  const account = { ...world.account, ...changed }
  const now = world.clock.now()
  const items = userIds.map(
    (userId): Item => ({
      ...(fields.open_id === undefined
        ? { user_id: typeof userId === 'bigint' ? String(userId) : userId }
        : {}),
      template_id: TEMPLATE_ID,
      data: { keyword1: `您的包裹 ${userId} 已到`, keyword2: '取件码 8-2-1024', keyword4: '今天' },
      ...fields,
    }),
  )
  const submission = readSubmission(account, { submittedBy: by, key, body: { items } }, now)
  const answer = await createIntake(world.db, account).submit(submission)
  if (!('results' in answer)) throw new Error('a batch was not answered as one')
  return answer.results.map((result) => {
    if ('error' in result) throw new Error(result.error.message)
    return result
  })
}

/** Sends what is due, as one process, until nothing more is due. */
export async function sendSubmitted(
  world: Pick<World, 'account'>,
  process: RemindDeps,
  account: Partial<Account> = {},
): Promise<Tally> {
  const worker = createSubmittedWorker(process, { ...world.account, ...account })
  return worker.workDue().finally(() => worker.stop())
}
