import type { Knex } from 'knex'
import { MAX_LIST } from '../db/sql.js'
import { failpoint } from '../lib/failpoint.js'
import { createGroupCommit } from '../lib/group-commit.js'
import { markSending } from './lease-store.js'
import type { HeldMessage } from './message.js'

/**
 * Marks a queued message as `sending`, together with others about to leave. Returns false if another process has it
 * by now: our lease is over, and the message must not be sent.
 */
export function createMarking(db: Knex): (message: HeldMessage) => Promise<boolean> {
  const marker = createGroupCommit<HeldMessage, boolean>({
    async commit(messages) {
      const marked = await markSending(db, messages)
      failpoint('mark.committed')
      return marked
    },
    weigh: () => 1,
    mayBeOneItemsFault: () => false,
    maxGroupWeight: MAX_LIST,
    maxWaitingWeight: Number.POSITIVE_INFINITY,
  })
  return async (message) => {
    if (message.state === 'sending') return true
    const isMarked = await marker.add(message)
    if (isMarked) message.state = 'sending'
    else message.lease.deadline = Number.NEGATIVE_INFINITY
    return isMarked
  }
}
