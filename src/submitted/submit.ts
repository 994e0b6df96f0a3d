import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { PermitsMoved } from '../books/index.js'
import { executeTogether } from '../db/together.js'
import { inRequest, inTransaction } from '../db/transaction.js'
import { ServiceError } from '../errors.js'
import type { Items } from '../http/batch.js'
import { errorBody } from '../http/errors.js'
import { failpoint } from '../lib/failpoint.js'
import { findOrAddCard } from '../messages/card-store.js'
import { type Added, addMessages, type NewMessage } from './add-messages.js'
import { type Submission, type Wanted, withReceivers } from './read-request.js'
import type { Accepted, Refused, Results } from './schemas.js'
import * as store from './store.js'

/** `again`: another request of the group has the same key, and is decided first. */
export type Outcome = Accepted | Results | ServiceError | 'again'

/** A request whose messages can be stored, with its place among all. */
interface Storable {
  i: number
  submission: Submission
  items: Items<Wanted>
}

/**
 * Stores the messages of requests with the permits that they will spend, and the answer for each request sent again, in
 * one transaction: all of them, or none. A permit is reserved here and not when the message is sent: so the answer
 * `queued` is a promise that nothing else takes back, and `no_permit` is known at once. With `wait: false` it throws a
 * lock wait as soon as another transaction holds one of the rows. Throws a duplicate error if one of the requests was
 * stored by another process meanwhile: the next look finds it.
 */
export async function submitTogether(
  db: Knex,
  account: Account,
  submissions: Submission[],
  { wait }: { wait: boolean },
): Promise<Outcome[]> {
  const outcomes = await lookUp(db, account, submissions)
  const open = submissions.flatMap((submission, i) => {
    const { checked } = submission
    return outcomes[i] || checked instanceof ServiceError ? [] : [{ i, submission, checked }]
  })
  const received = await withReceivers(
    db,
    account,
    open.map(({ checked }) => checked),
  )
  const storable: Storable[] = []
  for (const [at, { i, submission }] of open.entries()) {
    const items = received[at]
    if (items instanceof ServiceError) outcomes[i] = items
    else if (items) storable.push({ i, submission, items })
  }
  const answers = await storeAll(db, account, storable, wait)
  for (const [at, { i }] of storable.entries()) outcomes[i] = answers[at]
  const isRefused = ({ i }: Storable): boolean => outcomes[i] instanceof ServiceError
  await lookAgain(db, account, storable.filter(isRefused), outcomes)
  return outcomes.map((outcome) => {
    if (!outcome) throw new Error('a request was left without an answer')
    return outcome
  })
}

/** What is known of requests before their messages are looked at in the database. */
async function lookUp(
  db: Knex,
  { appId }: Account,
  submissions: Submission[],
): Promise<(Outcome | undefined)[]> {
  const earlier = await store.findSubmissions(db, appId, submissions)
  const seen = new Set<string>()
  return submissions.map((submission) => {
    const name = store.nameOf(submission)
    const before = earlier.get(name)
    if (before) return answerOf(before, submission)
    if (seen.has(name)) return 'again'
    seen.add(name)
    return submission.checked instanceof ServiceError ? submission.checked : undefined
  })
}

/** The answer that a request with this key got before. */
function answerOf(
  { bodyHash, answer }: { bodyHash: string; answer: string },
  submission: Submission,
): Accepted | Results | ServiceError {
  if (bodyHash === submission.bodyHash) return JSON.parse(answer)
  return new ServiceError(
    'idempotency_conflict',
    'This Idempotency-Key was sent before with another body: give each request a key of its own',
  )
}

/** A message that was refused may have been stored by another process since we looked: then it is not one too many. */
async function lookAgain(
  db: Knex,
  { appId }: Account,
  refusals: Storable[],
  outcomes: (Outcome | undefined)[],
): Promise<void> {
  const stored = await store.findSubmissions(
    db,
    appId,
    refusals.map(({ submission }) => submission),
  )
  for (const { i, submission } of refusals) {
    const before = stored.get(store.nameOf(submission))
    if (before) outcomes[i] = answerOf(before, submission)
  }
}

async function storeAll(
  db: Knex,
  account: Account,
  storable: Storable[],
  wait: boolean,
): Promise<(Accepted | Results | ServiceError)[]> {
  if (storable.length === 0) return []
  const now = Math.max(...storable.map(({ submission }) => submission.now))
  const cards = await cardsOf(db, account, storable, now)
  const items = storable.flatMap(({ items: { good }, submission: { submittedBy } }) =>
    good.map((item): NewMessage => ({ ...item, submittedBy, cardId: cards.get(item.templateId) ?? 0 })),
  )
  const work = async (trx: Knex.Transaction): Promise<(Accepted | Results | ServiceError)[]> => {
    const { outcomes, rest } = await addMessages(trx, account, items, { wait, now })
    const answers = answersTo(storable, outcomes)
    const answered = storable.flatMap(({ submission }, at) => {
      const answer = answers[at]
      // A message that was sent alone and refused leaves its key free.
      return answer instanceof ServiceError ? [] : [{ ...submission, answer: JSON.stringify(answer) }]
    })
    // The keys come last: who waits for one of them waits for a transaction that waits for nothing more.
    await executeTogether(trx, [...rest, ...store.insertingSubmissions(account.appId, answered, now)])
    failpoint('submit.in_transaction')
    return answers
  }
  const hasMoved = (error: unknown): boolean => error instanceof PermitsMoved
  const answers = await (wait
    ? inRequest(db, work, hasMoved)
    : inTransaction(db, work, hasMoved, NO_LOCK_RETRY))
  failpoint('submit.committed')
  return answers
}

const NO_LOCK_RETRY = 1

/**
 * What the messages of a template have in common. Their texts are their own, in wx_submitted_message: as rows of wx_card
 * they would be as many as the messages, and outlive them.
 */
async function cardsOf(
  db: Knex,
  { appId, channel }: Account,
  storable: Storable[],
  now: number,
): Promise<Map<string, number>> {
  const cards = new Map<string, number>()
  for (const { templateId } of storable.flatMap(({ items }) => items.good)) {
    if (cards.has(templateId)) continue
    const { id } = await findOrAddCard(db, { appId, channel, templateId, page: '', data: {} }, now)
    cards.set(templateId, id)
  }
  return cards
}

/** The answer to each request; of a message that was sent alone, what is wrong with it. */
function answersTo(
  storable: Storable[],
  outcomes: (Added | ServiceError)[],
): (Accepted | Results | ServiceError)[] {
  let next = 0
  return storable.map(({ submission, items }) => {
    const ofThese = outcomes.slice(next, next + items.good.length)
    next += items.good.length
    if (submission.isBatch) return { results: items.merge(ofThese.map(told), refused) }
    const [alone] = ofThese
    if (!alone) throw new Error('a request without a message was stored')
    return alone instanceof ServiceError ? alone : accepted(alone)
  })
}

const accepted = ({ id, isQueued }: Added): Accepted => ({ id, state: isQueued ? 'queued' : 'no_permit' })

const refused = (error: ServiceError): Accepted | Refused => errorBody(error)

const told = (outcome: Added | ServiceError): Accepted | Refused =>
  outcome instanceof ServiceError ? refused(outcome) : accepted(outcome)
