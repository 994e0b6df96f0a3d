import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { isLockWait, whyUnavailable } from '../db/errors.js'
import { isSqlite } from '../db/sql.js'
import { ServiceError } from '../errors.js'
import { createGroupCommit, type SideBySide } from '../lib/group-commit.js'
import type { UserId } from '../lib/user-id.js'
import { accept, type UploadedPermit } from './accept.js'
import { commitUploads } from './commit-uploads.js'
import type { Accepted, UploadOutcome, UploadRequest } from './decide-uploads.js'
import { lookAt } from './locked.js'

export interface Ingest {
  /**
   * Resolves, in order, after the permits are committed. Rejects if they could not be: then none of them is
   * stored.
   */
  upload(uploads: UploadedPermit[], now: number): Promise<UploadOutcome[]>
  drain(): Promise<void>
}

/**
 * Permits in one transaction: two statements of up to 999 rows each stay under 60 ms (measured at 1,000 to
 * 5,000 rows).
 */
const MAX_GROUP_PERMITS = 2_000
/**
 * A server with connections works on two groups at once: otherwise the process would wait while the server works, and the
 * server while the process answers; and batches would wait for one connection's worth of its CPU. Smaller groups than
 * without, so that few requests have a user in common with the other one.
 */
const MAX_PERMITS_SIDE_BY_SIDE = 500
/**
 * 64 callers are two groups of this size. Each group costs some 250 us of the process's CPU and 600 us of the server's,
 * however small it is (64 callers on a loaded machine: 29 and 47 us a form_id in groups of 64, 33 and 57 of 32, 37 and 63
 * of 25).
 */
const MIN_PERMITS_SIDE_BY_SIDE = 32
const MAX_WAITING_PERMITS = 50_000

/**
 * For how long a request is retried while another transaction holds its rows. After that its caller is told
 * to come back.
 */
const MAX_LOCKED_MS = 8_000
const FIRST_PAUSE_MS = 20
const MAX_PAUSE_MS = 500

/**
 * `locked`: the upload would wait for another transaction, which may belong to a frozen process. `waited`: it
 * or another one in its group did wait, in vain, for something that no look finds: a row locked after the
 * look, or the gap that a duplicate locks before its row.
 */
type Attempt = UploadOutcome[] | 'locked' | 'waited'

/** Permits that were committed together. */
export interface CommittedGroup {
  requests: number
  permits: number
  seconds: number
}

/**
 * Every permit enters the tables through this: requests that arrive together are committed together. `onCommit` is
 * told of each group.
 */
export function createIngest(db: Knex, onCommit: (group: CommittedGroup) => void = () => {}): Ingest {
  const repeats = expectRepeats()
  const createLane = (maxGroupWeight: number, sideBySide?: SideBySide<UploadRequest>) =>
    createGroupCommit<UploadRequest, Attempt>({
      async commit(requests) {
        const began = performance.now()
        const attempts = await commitUnlocked(db, requests, repeats)
        const permits = requests.reduce((sum, request) => sum + request.permits.length, 0)
        onCommit({ requests: requests.length, permits, seconds: (performance.now() - began) / 1_000 })
        return attempts
      },
      weigh: (request) => request.permits.length,
      mayBeOneItemsFault: (error) => whyUnavailable(error) === undefined,
      maxGroupWeight,
      maxWaitingWeight: MAX_WAITING_PERMITS,
      sideBySide,
    })
  const together = isSqlite(db)
    ? createLane(MAX_GROUP_PERMITS)
    : createLane(MAX_PERMITS_SIDE_BY_SIDE, { minWeight: MIN_PERMITS_SIDE_BY_SIDE, keysOf: holdersOf })
  /** One by one, outside the groups: each one that waits costs those behind it a second. */
  const apart = createLane(1)

  const underWay = new Set<Promise<unknown>>()
  let lockedPermits = 0

  /**
   * Joins one group after the other until none of its rows is locked; meanwhile the groups go on without it.
   */
  async function commit(request: UploadRequest): Promise<UploadOutcome[]> {
    const end = performance.now() + MAX_LOCKED_MS
    let lane = together
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, MAX_PAUSE_MS)) {
      const attempt = await lane.add(request)
      if (Array.isArray(attempt)) return attempt
      if (attempt === 'waited' && lane === together) {
        lane = apart
        continue
      }
      const weight = request.permits.length
      if (performance.now() + pause > end || lockedPermits + weight > MAX_WAITING_PERMITS)
        throw new ServiceError('overloaded', 'Another transaction holds rows of this user; try again shortly')
      lockedPermits += weight
      await sleep(pause)
      lockedPermits -= weight
    }
  }

  return {
    async upload(uploads, now) {
      const outcomes: UploadOutcome[] = []
      const permits: Accepted[] = []
      const places: number[] = []
      for (const [place, upload] of uploads.entries()) {
        const acceptance = accept(upload, now)
        if (!acceptance.ok) {
          outcomes[place] = { outcome: 'rejected', reason: acceptance.reason }
          continue
        }
        const { appId, openId, userId, source, page } = upload
        const { formId, expire } = acceptance
        permits.push({ appId, openId, userId, source, page, formId, expire })
        places.push(place)
      }
      if (permits.length === 0) return outcomes
      const committed = commit({ permits, now })
      underWay.add(committed)
      const stored = await committed.finally(() => underWay.delete(committed))
      for (const [i, outcome] of stored.entries()) outcomes[places[i] ?? 0] = outcome
      return outcomes
    },
    async drain() {
      await Promise.allSettled(underWay)
    },
  }
}

/**
 * The users and persons whose rows an upload holds until its commit. Nearly always it is one person for each user, but of
 * two groups that bind one open_id the second would be refused, and committed again.
 */
function holdersOf({ permits }: UploadRequest): (UserId | string)[] {
  return permits.flatMap(({ userId, openId }) => [userId, openId])
}

/** Groups after one with a repeated form_id in which more of them are expected. */
const GROUPS_WITH_REPEATS = 20

/**
 * Whether to look for form_ids that came before. Nearly all are new, and for them the look would cost the database a
 * tenth of an upload; but a caller who had no answer sends again all that it sent, and a group with one of these is
 * committed twice if nobody looked.
 */
interface Repeats {
  areExpected(): boolean
  note(outcomes: UploadOutcome[][]): void
}

function expectRepeats(): Repeats {
  let groupsLeft = 0
  return {
    areExpected: () => groupsLeft > 0,
    note(outcomes) {
      if (outcomes.some((ofRequest) => ofRequest.some(isRepeat))) groupsLeft = GROUPS_WITH_REPEATS
      else if (groupsLeft > 0) groupsLeft--
    },
  }
}

const isRepeat = (one: UploadOutcome): boolean =>
  one.outcome === 'duplicate' || (one.outcome === 'rejected' && one.reason === 'belongs_to_another_user')

async function commitUnlocked(db: Knex, requests: UploadRequest[], repeats: Repeats): Promise<Attempt[]> {
  // SQLite has no locked rows: its one lock is the whole file.
  if (isSqlite(db)) return commitUploads(db, requests)
  const { locked, known } = await lookAt(db, requests, repeats.areExpected())
  const free = requests.filter((request) => !locked.has(request))
  try {
    const outcomes = free.length === 0 ? [] : await commitUploads(db, free, known)
    repeats.note(outcomes)
    const committed = new Map(free.map((request, i) => [request, outcomes[i]]))
    return requests.map((request) => committed.get(request) ?? 'locked')
  } catch (error) {
    if (isLockWait(error)) return requests.map((request) => (locked.has(request) ? 'locked' : 'waited'))
    throw error
  }
}
