import type { FastifyRequest } from 'fastify'
import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { ServiceError } from '../errors.js'
import { invalidInput } from '../http/errors.js'
import { sha256 } from '../lib/sha256.js'
import { checkItem } from './check.js'
import { receiversOf } from './receivers.js'
import { Item } from './schemas.js'
import type { Submission, Wanted } from './submit.js'

/** The hashes by which a request is known again. The account is not part of the body: keys are kept by account. */
export function hashesOf(
  key: string,
  body: Item | { items: unknown[] },
): Pick<Submission, 'keyHash' | 'bodyHash'> {
  const said = 'items' in body ? { items: body.items } : { ...body, app_id: undefined }
  return { keyHash: sha256(key).toString('hex'), bodyHash: sha256(canonicalJson(said)).toString('hex') }
}

type SubmitRequest = FastifyRequest<{ Body: Item | { items: unknown[] } }>

/** What a request asks for: each message in order, as it is to be stored, or why it cannot be. */
export async function readItems(
  db: Knex,
  account: Account,
  request: SubmitRequest,
  now: number,
): Promise<(Wanted | ServiceError)[]> {
  const { body } = request
  const shaped = ('items' in body ? body.items : [body]).map((item) => shapeOf(request, item))
  const items = shaped.filter((item): item is Item => !(item instanceof ServiceError))
  const receivers = await receiversOf(db, account, items)
  const byItem = new Map(items.map((item, i) => [item, receivers[i]]))
  return shaped.map((item) => {
    if (item instanceof ServiceError) return item
    const receiver = byItem.get(item)
    if (receiver === undefined || receiver instanceof ServiceError)
      return receiver ?? new ServiceError('invalid_request', 'user_id: is missing', { field: 'user_id' })
    return whatFails(() => ({ ...checkItem(account, item, now), ...receiver }))
  })
}

/** The schema has looked at a single message; those of a batch are looked at here, each for itself. */
function shapeOf(request: SubmitRequest, item: unknown): Item | ServiceError {
  if (!('items' in request.body)) return request.body
  const isItem = request.getValidationFunction(Item) ?? request.compileValidationSchema(Item)
  if (isItem(item)) return item as Item
  const [fault] = isItem.errors ?? []
  return fault ? invalidInput(fault) : new ServiceError('invalid_request', 'is not valid')
}

function whatFails<Value>(read: () => Value): Value | ServiceError {
  try {
    return read()
  } catch (error) {
    if (error instanceof ServiceError) return error
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
