import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { ServiceError } from '../errors.js'
import { type Items, itemReader } from '../http/batch.js'
import { sha256 } from '../lib/sha256.js'
import { checkItem } from './check.js'
import { readNamed, receiversOf } from './receivers.js'
import { Item } from './schemas.js'
import type { Submission, Wanted } from './submit.js'

export type SubmitBody = Item | { items: unknown[] }

const readBody = itemReader(Item)

/** The hashes by which a request is known again. The account is not part of the body: keys are kept by account. */
export function hashesOf(key: string, body: SubmitBody): Pick<Submission, 'keyHash' | 'bodyHash'> {
  const said = 'items' in body ? { items: body.items } : { ...body, app_id: undefined }
  return { keyHash: sha256(key).toString('hex'), bodyHash: sha256(canonicalJson(said)).toString('hex') }
}

/**
 * What a request asks for: each message in order, as it is to be stored, or why it cannot be. Throws if none of them
 * can.
 */
export async function readItems(
  db: Knex,
  account: Account,
  body: SubmitBody,
  now: number,
): Promise<Items<Wanted>> {
  const checked = readBody(body).map((item, pathOf) => ({
    ...checkItem(account, item, pathOf, now),
    named: readNamed(item, pathOf),
  }))
  const receivers = await receiversOf(db, account, checked.good)
  let next = 0
  return checked.map(({ named: _, ...item }) => {
    const receiver = receivers[next++]
    if (!receiver || receiver instanceof ServiceError)
      throw receiver ?? new Error('a message without a receiver')
    return { ...item, ...receiver }
  })
}

/** JSON with the keys of each object in order: a caller that sends again may write them in another one. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, field: unknown) =>
    typeof field === 'object' && field !== null && !Array.isArray(field)
      ? Object.fromEntries(Object.entries(field).sort(([a], [b]) => (a < b ? -1 : 1)))
      : field,
  )
}
