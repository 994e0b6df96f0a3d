import { type TObject, Type } from 'typebox'
import { USER_ID_PATTERN } from '../lib/user-id.js'
import { AppId } from './account-of.js'
import type { Scope } from './api-keys.js'

/** Field types that several routes share. */

/** The user and the form_id of the examples in the API description and in docs/http.md. */
export const EXAMPLE = {
  user: { open_id: 'oDemo1', user_id: 9001 },
  other: { open_id: 'oDemo2', user_id: 9002 },
  formId: '3a5f0c9b2e7d4f6188aa10b2c3d4e5f6',
  date: '2026-11-21',
}

const HAS_ITEMS = { properties: { items: {} }, required: ['items'] }

/**
 * One item or a batch of them, of one account, as conditions rather than anyOf, so that a fault refers to the shape
 * that was meant. `examples` are for the API description, one of each.
 */
export function oneOrBatch<Item extends TObject>(
  item: Item,
  maxItems: number,
  examples: { one: Type.Static<Item>; batch: Type.Static<Item>[] },
) {
  const strict = { additionalProperties: false }
  const app_id = Type.Optional(AppId)
  const one = Type.Object({ ...item.properties, app_id }, strict)
  const batch = Type.Object({ items: Type.Array(item, { minItems: 1, maxItems }), app_id }, strict)
  return Type.Unsafe<Type.Static<Item> | { items: Type.Static<Item>[] }>({
    type: 'object',
    'x-examples': {
      one: { summary: 'One', value: examples.one },
      batch: { summary: 'Several', value: { items: examples.batch } },
    },
    allOf: [
      { if: HAS_ITEMS, else: one },
      { if: { not: HAS_ITEMS }, else: batch },
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

/** What OpenAPI says about a call that a backend alone may make, with a key of that scope. */
export const backendOnly = (scope: Scope) => [{ apiKey: [scope] }]

/** What OpenAPI says about a call that both kinds of callers may make; a key needs the scope. */
export const bothCallers = (scope: Scope) => [{ apiKey: [scope] }, { session: [] }]

const OPEN_ID = {
  minLength: 1,
  maxLength: 100,
  pattern: '^[\\x21-\\x7e]+$',
  description: "WeChat's id of the user in this app",
}

export const OpenId = Type.String({ ...OPEN_ID, examples: [EXAMPLE.user.open_id] })

/** In a query that names the user in one of two ways: /docs would send every example, and both are refused. */
export const OpenIdInstead = Type.String({
  ...OPEN_ID,
  description: `${OPEN_ID.description}, in place of user_id`,
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
  examples: [EXAMPLE.date],
})

/** The path of a call about one user. */
export const UserIdParams = Type.Object({
  user_id: Type.String({
    pattern: USER_ID_PATTERN,
    description: "The owner's number for the user",
    examples: [String(EXAMPLE.user.user_id)],
  }),
})
