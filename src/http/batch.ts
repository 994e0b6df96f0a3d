import { type Static, type TObject, type TSchema, Type } from 'typebox'
import { ServiceError } from '../errors.js'
import { AppId } from './account-of.js'
import { ErrorShape } from './errors.js'
import type { Fault } from './fault.js'
import { type Faults, invalidRequest, isValidBy, validatorOf } from './validation.js'

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
  const meant = 'x-meant' in item ? { 'x-meant': item['x-meant'] } : {}
  const one = Type.Object({ ...item.properties, app_id }, { ...strict, ...meant })
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
      { if: HAS_ITEMS, else: { ...one, 'x-other-fields': ['items'] } },
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

/**
 * Makes the reader of oneOrBatch bodies. Throws `invalid_request` if none of the items can be taken. The items are looked
 * at together first: nearly always all are good, and one by one takes twice as long.
 */
export function itemReader<Item extends TObject>(
  schema: Item,
): (body: Static<Item> | { items: unknown[] }) => Items<Static<Item>> {
  const areGood = isValidBy<Static<Item>[]>(Type.Array(schema))
  const faultsIn = validatorOf(schema)
  return (body) => {
    // The route's schema has looked at a single one, which may name its account.
    if (!isBatch(body)) return itemsOf([{ item: body }], () => '')
    const pathOf = (i: number) => `items.${i}.`
    if (areGood(body.items))
      return itemsOf(
        body.items.map((item) => ({ item })),
        pathOf,
      )
    const all = body.items.map((item, i): Read<Static<Item>> => {
      const faults = faultsIn(item)
      return faults ? { error: invalidRequest(placed(faults, i)) } : { item: item as Static<Item> }
    })
    return itemsOf(all, pathOf)
  }
}

/** `body` is the item as a whole. */
function placed({ told: [first, ...others], more }: Faults, i: number): Faults {
  const place = ({ field, message }: Fault): Fault => ({
    field: field === 'body' ? `items.${i}` : `items.${i}.${field}`,
    message,
  })
  return { told: [place(first), ...others.map(place)], more }
}

function isBatch<Item extends object>(body: Item | { items: unknown[] }): body is { items: unknown[] } {
  return 'items' in body
}

function itemsOf<Item>(all: readonly Read<Item>[], pathOf: (i: number) => string): Items<Item> {
  const good: Item[] = []
  for (const one of all) if ('item' in one) good.push(one.item)
  if (good.length === 0) throw noneIsGood(all.flatMap((one) => ('error' in one ? [one.error] : [])))
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
      let next = 0
      return all.map((one) => {
        if ('error' in one) return refuse(one.error)
        const answer = answers[next++]
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
  const faults = errors.map(faultsOf)
  const [one, ...others] = faults.flatMap(({ told }) => told)
  const more = faults.reduce((sum, fault) => sum + fault.more, 0)
  return one ? invalidRequest({ told: [one, ...others], more }) : first
}

function faultsOf({ message, details = {} }: ServiceError): { told: Fault[]; more: number } {
  const { faults, field, more } = details
  if (Array.isArray(faults)) return { told: faults as Fault[], more: Number(more ?? 0) }
  const told = typeof field === 'string' ? [{ field, message: message.slice(field.length + 2) }] : []
  return { told, more: 0 }
}

/** Of an answer to an item that could not be taken. */
export const ItemError = Type.Optional(ErrorShape)
