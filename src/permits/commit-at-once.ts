import type { Knex } from 'knex'
import { grantingPermits } from '../books/index.js'
import { commitTogether, type Statement } from '../db/together.js'
import { failpoint } from '../lib/failpoint.js'
import { groupBy } from '../lib/group-by.js'
import { compareKeys } from '../lib/sorted.js'
import { bindingsOf } from '../users/store.js'
import { planBindings } from '../users/user-ids.js'
import {
  type Books,
  booksOf,
  decide,
  NOTHING_KNOWN,
  type UploadOutcome,
  type UploadRequest,
  usersNearTheirLimit,
  usesOf,
} from './decide-uploads.js'
import type { Known } from './known-store.js'

/**
 * Commits uploads of which everything is known beforehand: the statements need no answers, so that they go out together.
 * Throws a duplicate error if a form_id or an open_id was inserted meanwhile, or a form_id that nobody looked for came
 * before. undefined, with nothing stored, where more must be known: of a person who has a row and no user, and of a user
 * who is near the limit.
 */
export async function commitAtOnce(
  db: Knex,
  requests: UploadRequest[],
  known: ReadonlyMap<string, Known>,
): Promise<UploadOutcome[][] | undefined> {
  const now = Math.max(...requests.map((request) => request.now))
  const books: Books = new Map()
  const statements: Statement[] = []
  const accounts = groupBy(
    requests.flatMap(({ permits }) => permits),
    ({ appId }) => appId,
  )
  for (const [appId, permits] of [...accounts].sort(([a], [b]) => compareKeys(a, b))) {
    const ofTables = known.get(appId) ?? NOTHING_KNOWN
    const { users, fresh } = planBindings(ofTables.users, permits)
    if (fresh.some(({ openId }) => ofTables.users.has(openId))) return undefined
    books.set(appId, booksOf(users, ofTables))
    statements.push(...bindingsOf(appId, fresh, now))
  }
  const { outcomes, fresh } = decide(requests, books)
  if (usersNearTheirLimit(fresh, books).size > 0 || outcomes.some((one) => one.some(isTooMuch)))
    return undefined
  if (fresh.length > 0) statements.push(...grantingPermits(db, usesOf(fresh), now))
  failpoint('ingest.in_transaction')
  await commitTogether(db, statements)
  return outcomes
}

/** It may be one that is there already: nobody looked for it. */
const isTooMuch = (one: UploadOutcome): boolean => one.outcome === 'rejected' && one.reason === 'too_many'
