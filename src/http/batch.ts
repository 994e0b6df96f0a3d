import { type Static, type TObject, type TSchema, Type } from 'typebox'
import { ServiceError } from '../errors.js'
import { AppId } from './account-of.js'
import { ErrorShape } from './errors.js'
import { type Fault, invalidRequest, validatorOf } from './validation.js'

const HAS_ITEMS = { properties: { items: {} }, required: ['items'] }

/**
 * One item or a batch of them, of one account, as conditions rather than anyOf, so that a fault refers to the shape
 * that was meant. The items of a batch are looked at by readItems, each by itself. `examples` are for the API
 * description, one of each.
 */
export function oneOrBatch<Item extends TObject>(
  item: Item,
  maxItems: number,
  examples: { one: Static<Item>; batch: Static<Item>[] },
) {
  const strict = { additionalProperties: false }
  const app_id = Type.Optional(AppId)
  const one = Type.Object({ ...item.properties, app_id }, strict)
  const batch = (items: TSchema) =>
    Type.Object({ items: Type.Array(items, { minItems: 1, maxItems }), app_id }, strict)
  return Type.Unsafe<Static<Item> | { items: unknown[] }>({
    type: 'object',
    // The conditions and what is looked at later would tell a reader, or a generator of clients, nothing.
    'x-described': { anyOf: [one, batch(item)] },
    'x-examples': {
      one: { summary: 'One', value: examples.one },
      batch: { summary: 'Several', value: { items: examples.batch } },
    },
    allOf: [
      { if: HAS_ITEMS, else: one },
      { if: { not: HAS_ITEMS }, else: batch(Type.Unknown()) },
    ],
  })
}

/** An item of a request, or why it cannot be taken. */
export type Read<Item> = { item: Item } | { error: ServiceError }

/** What a caller sent: one item, whose fault is that of the request, or a batch, whose good items are taken. */
export interface Items<Item> {
  readonly all: readonly Read<Item>[]
  readonly good: readonly Item[]
  /** The same with what `change` makes of each good item. What it throws is that item's fault: a ServiceError. */
  map<Changed>(change: (item: Item, pathOf: (field: string) => string) => Changed): Items<Changed>
  /** The answers to the good items, put in the places of these; the others are answered by `refuse`. */
  merge<Answer>(answers: readonly Answer[], refuse: (error: ServiceError) => Answer): Answer[]
}

/** Makes the reader of oneOrBatch bodies. Throws `invalid_request` if none of the items can be taken. */
export function itemReader<Item extends TObject>(
  schema: Item,
): (body: Static<Item> | { items: unknown[] }) => Items<Static<Item>> {
  const faultsIn = validatorOf(schema)
  return (body) => {
    // The route's schema has looked at a single one, which may name its account.
    if (!isBatch(body)) return itemsOf([{ item: body }], () => '')
    const all = body.items.map((item, i): Read<Static<Item>> => {
      const faults = faultsIn(item)
      if (!faults) return { item: item as Static<Item> }
      const [first, ...others] = faults
      return { error: invalidRequest([placed(first, i), ...others.map((fault) => placed(fault, i))]) }
    })
    return itemsOf(all, (i) => `items.${i}.`)
  }
}

/** `body` is the item as a whole. */
function placed({ field, message }: Fault, i: number): Fault {
  return { field: field === 'body' ? `items.${i}` : `items.${i}.${field}`, message }
}

function isBatch<Item extends object>(body: Item | { items: unknown[] }): body is { items: unknown[] } {
  return 'items' in body
}

function itemsOf<Item>(all: readonly Read<Item>[], pathOf: (i: number) => string): Items<Item> {
  const good = all.flatMap((one) => ('item' in one ? [one.item] : []))
  const errors = all.flatMap((one) => ('error' in one ? [one.error] : []))
  if (good.length === 0) throw noneIsGood(errors)
  return {
    all,
    good,
    map: (change) =>
      itemsOf(
        all.map((one, i) =>
          'error' in one ? one : changed(() => change(one.item, (name) => pathOf(i) + name)),
        ),
        pathOf,
      ),
    merge(answers, refuse) {
      const queue = [...answers]
      return all.map((one) => {
        if ('error' in one) return refuse(one.error)
        const answer = queue.shift()
        if (answer === undefined) throw new Error('fewer answers than items')
        return answer
      })
    },
  }
}

function changed<Item>(change: () => Item): Read<Item> {
  try {
    return { item: change() }
  } catch (error) {
    if (error instanceof ServiceError && error.status < 500) return { error }
    throw error
  }
}

/** The one item's fault, or those of all the items. */
function noneIsGood(errors: ServiceError[]): ServiceError {
  const [first] = errors
  if (!first) return new ServiceError('invalid_request', 'items: is empty', { field: 'items' })
  const isMixed = errors.some(({ code }) => code !== 'invalid_request')
  if (errors.length === 1 || isMixed) return first
  const faults = errors.flatMap(faultsOf)
  const [one, ...others] = faults
  return one ? invalidRequest([one, ...others]) : first
}

function faultsOf({ message, details = {} }: ServiceError): Fault[] {
  const { faults, field } = details
  if (Array.isArray(faults)) return faults as Fault[]
  return typeof field === 'string' ? [{ field, message: message.slice(field.length + 2) }] : []
}

/** Of an answer to an item that could not be taken. */
export const ItemError = Type.Optional(ErrorShape)
