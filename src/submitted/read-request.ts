import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { ServiceError } from '../errors.js'
import { type Items, itemReader } from '../http/batch.js'
import { sha256 } from '../lib/sha256.js'
import { type CheckedItem, checkItem } from './check.js'
import { type Named, type Receiver, readNamed, receiversOf } from './receivers.js'
import { Item } from './schemas.js'

export type SubmitBody = Item | { items: unknown[] }

const readBody = itemReader(Item)

/** A message that is in order, and whom it names. */
export interface Checked extends CheckedItem {
  named: Named
}

/** A message that can be stored. */
export interface Wanted extends CheckedItem, Receiver {}

/** A request that submits messages, known by its Idempotency-Key. */
export interface Submission {
  submittedBy: string
  keyHash: string
  bodyHash: string
  isBatch: boolean
  /**
   * Its messages, as far as each can be looked at by itself, or why none can be taken. It says nothing about a request
   * that was stored before: that one gets the answer that it got.
   */
  checked: Items<Checked> | ServiceError
  now: number
}

/** Reads a request without the database. The account is not part of what is compared: keys are kept by account. */
export function readSubmission(
  account: Account,
  { submittedBy, key, body }: { submittedBy: string; key: string; body: SubmitBody },
  now: number,
): Submission {
  const isBatch = 'items' in body
  const said = isBatch ? { items: body.items } : { ...body, app_id: undefined }
  return {
    submittedBy,
    keyHash: sha256(key).toString('hex'),
    bodyHash: sha256(canonicalJson(said)).toString('hex'),
    isBatch,
    checked: orRefusal(() => checkItems(account, body, now)),
    now,
  }
}

function checkItems(account: Account, body: SubmitBody, now: number): Items<Checked> {
  return readBody(body).map((item, pathOf) => ({
    ...checkItem(account, item, pathOf, now),
    named: readNamed(item, pathOf),
  }))
}

/**
 * The messages of several requests, each with whom it goes to or why it cannot be stored; of a request in which none can,
 * why not.
 */
export async function withReceivers(
  db: Knex,
  account: Account,
  requests: Items<Checked>[],
): Promise<(Items<Wanted> | ServiceError)[]> {
  const receivers = await receiversOf(
    db,
    account,
    requests.flatMap(({ good }) => good),
  )
  let next = 0
  return requests.map((items) => {
    let one = next
    next += items.good.length
    return orRefusal(() =>
      items.map(({ named: _, ...item }) => {
        const receiver = receivers[one++]
        if (!receiver || receiver instanceof ServiceError)
          throw receiver ?? new Error('a message without a receiver')
        return { ...item, ...receiver }
      }),
    )
  })
}

function orRefusal<T>(read: () => T): T | ServiceError {
  try {
    return read()
  } catch (error) {
    if (error instanceof ServiceError && error.status < 500) return error
    throw error
  }
}

/** JSON with the keys of each object in order: a caller that sends again may write them in another one. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, field: unknown) =>
    typeof field === 'object' && field !== null && !Array.isArray(field)
      ? Object.fromEntries(Object.entries(field).sort(([a], [b]) => (a < b ? -1 : 1)))
      : field,
  )
}
