import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { isDuplicate, isLockWait, whyUnavailable } from '../db/errors.js'
import { isSqlite } from '../db/sql.js'
import { ServiceError } from '../errors.js'
import { createGroupCommit, type GroupCommit } from '../lib/group-commit.js'
import type { Submission } from './read-request.js'
import type { Accepted, Results } from './schemas.js'
import { nameOf } from './store.js'
import { type Outcome, submitTogether } from './submit.js'

/** Messages that backends submit to one account enter the tables through this. */
export interface Intake {
  /**
   * Resolves once the messages of a request are stored, or were before. Throws `idempotency_conflict`, and for a message
   * that was sent alone, or where none can be taken, what is wrong with it.
   */
  submit(submission: Submission): Promise<Accepted | Results>
  drain(): Promise<void>
}

/** A request with more messages than this is a group by itself, and is not to hold up those with one. */
const FEW = 10
const MAX_GROUP_MESSAGES = 200
const MAX_BATCHED_MESSAGES = 500
/** With their texts, some 20 MB at most of usual messages. */
const MAX_WAITING_MESSAGES = 20_000

/** How often a request that another process has stored meanwhile is looked up. */
const MAX_LOOKS = 3

/**
 * Requests that arrive together are stored together: a transaction takes the same statements for many as for one. Those
 * with many messages go beside, in groups of their own. One that meets a row which another transaction holds waits for it
 * alone.
 */
export function createIntake(db: Knex, account: Account): Intake {
  const createLane = (maxGroupWeight: number): GroupCommit<Submission, Outcome | 'locked'> =>
    createGroupCommit({
      commit: (submissions: Submission[]) => commitUnlocked(db, account, submissions),
      weigh: weightOf,
      mayBeOneItemsFault: (error) => whyUnavailable(error) === undefined,
      maxGroupWeight,
      maxWaitingWeight: MAX_WAITING_MESSAGES,
      sideBySide: isSqlite(db)
        ? undefined
        : { minWeight: maxGroupWeight / 2, keysOf: (submission) => [nameOf(submission)] },
    })
  const lanes = { few: createLane(MAX_GROUP_MESSAGES), many: createLane(MAX_BATCHED_MESSAGES) }
  const underWay = new Set<Promise<unknown>>()

  async function commit(submission: Submission): Promise<Accepted | Results> {
    const lane = weightOf(submission) > FEW ? lanes.many : lanes.few
    for (;;) {
      const outcome = await lane.add(submission)
      // Each time, one request with the same key is stored or refused.
      if (outcome === 'again') continue
      const answer = outcome === 'locked' ? await submitAlone(db, account, submission) : outcome
      if (answer instanceof ServiceError) throw answer
      return answer
    }
  }

  return {
    submit(submission) {
      const committed = commit(submission)
      underWay.add(committed)
      return committed.finally(() => underWay.delete(committed))
    },
    async drain() {
      await Promise.allSettled(underWay)
    },
  }
}

/** At least 1: one that cannot be taken is looked up as well. */
const weightOf = ({ checked }: Submission): number =>
  checked instanceof ServiceError ? 1 : checked.good.length

/** Halves a group that meets a locked row, so that one of them costs the logarithm. */
async function commitUnlocked(
  db: Knex,
  account: Account,
  submissions: Submission[],
): Promise<(Outcome | 'locked')[]> {
  try {
    return await submitTogether(db, account, submissions, { wait: false })
  } catch (error) {
    if (!isLockWait(error) && !isDuplicate(error)) throw error
  }
  if (submissions.length === 1) return ['locked']
  const middle = Math.ceil(submissions.length / 2)
  const first = await commitUnlocked(db, account, submissions.slice(0, middle))
  return [...first, ...(await commitUnlocked(db, account, submissions.slice(middle)))]
}

/** Waits for rows that others hold, some 7 s at most, and for another process that stores the same request. */
async function submitAlone(
  db: Knex,
  account: Account,
  submission: Submission,
): Promise<Accepted | Results | ServiceError> {
  for (let looks = 1; ; looks++) {
    try {
      const [outcome] = await submitTogether(db, account, [submission], { wait: true })
      if (!outcome || outcome === 'again') throw new Error('a request alone met its own key')
      return outcome
    } catch (error) {
      if (!isDuplicate(error) || looks === MAX_LOOKS) throw error
    }
  }
}
