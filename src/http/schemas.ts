import { type TSchema, Type } from 'typebox'
import { USER_ID_PATTERN } from '../lib/user-id.js'

/** Field types that several routes share. */

/**
 * One item or a batch of them, as conditions rather than anyOf, so that a fault refers to the shape that was
 * meant.
 */
export function oneOrBatch<Item extends TSchema>(item: Item, maxItems: number) {
  const batch = Type.Object(
    { items: Type.Array(item, { minItems: 1, maxItems }) },
    { additionalProperties: false },
  )
  return Type.Unsafe<Type.Static<Item> | { items: Type.Static<Item>[] }>({
    type: 'object',
    allOf: [
      { if: { required: ['items'] }, else: item },
      { if: { not: { required: ['items'] } }, else: batch },
    ],
  })
}

/**
 * The items of a oneOrBatch body, and the name of an item's field in a fault: `items.3.open_id`, or
 * `open_id`.
 */
export function itemsOf<Item extends object>(
  body: Item | { items: Item[] },
): { items: Item[]; pathOf(i: number): string } {
  if ('items' in body) return { items: body.items, pathOf: (i) => `items.${i}.` }
  return { items: [body], pathOf: () => '' }
}

/** What OpenAPI says about a call that both kinds of callers may make. */
export const BOTH_CALLERS = [{ apiKey: [] }, { session: [] }]

export const OpenId = Type.String({
  minLength: 1,
  maxLength: 100,
  pattern: '^[\\x21-\\x7e]+$',
  description: "WeChat's id of the user in this app",
})

export const UserId = Type.Unsafe<number | string>({
  type: ['integer', 'string'],
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  pattern: USER_ID_PATTERN,
  description:
    "The owner's number for the user, 0 to 9223372036854775807. Accepted as a number or as a string of digits; answers give a string above 9007199254740991",
  examples: [10086, '1234567890123456789'],
})

export const IsoDate = Type.String({
  pattern: '^\\d{4}-\\d{2}-\\d{2}$',
  description: 'Day as YYYY-MM-DD',
  examples: ['2026-11-20'],
})

/** The path of a call about one user. */
export const UserIdParams = Type.Object({
  user_id: Type.String({ pattern: USER_ID_PATTERN, description: "The owner's number for the user" }),
})
