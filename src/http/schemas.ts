import { Type } from 'typebox'
import { USER_ID_PATTERN } from '../lib/user-id.js'
import type { Scope } from './api-keys.js'

/** Field types that several routes share. */

/** The user and the form_id of the examples in the API description and in docs/http.md. */
export const EXAMPLE = {
  user: { open_id: 'oDemo1', user_id: 9001 },
  other: { open_id: 'oDemo2', user_id: 9002 },
  formId: '3a5f0c9b2e7d4f6188aa10b2c3d4e5f6',
  date: '2026-11-21',
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

/** 1973: a smaller number is a time in seconds, or none at all. */
const EARLIEST_MS = 100_000_000_000

/** A time in ms since 1970. */
export const Milliseconds = (description: string) =>
  Type.Integer({ minimum: EARLIEST_MS, description, 'x-unit': 'ms' })

export const IsoDate = Type.String({
  pattern: '^\\d{4}-\\d{2}-\\d{2}$',
  description: 'Day as YYYY-MM-DD',
  examples: [EXAMPLE.date],
})

/** The most that a page of a list may have. */
const MAX_PAGE = 100

/** `limit` of a list's query, where it is text. */
export const PageLimit = (whenLeftOut: number) =>
  Type.Optional(
    Type.String({
      pattern: '^([1-9]|[1-9][0-9]|100)$',
      description: `1 to ${MAX_PAGE}; ${whenLeftOut} if left out`,
      examples: [String(whenLeftOut)],
    }),
  )

/** The id of a row, as a path or a query has it. */
export const RowId = (description: string, examples?: string[]) =>
  Type.String({ pattern: '^[1-9][0-9]{0,14}$', description, ...(examples ? { examples } : {}) })

/** The path of a call about one user. */
export const UserIdParams = Type.Object({
  user_id: Type.String({
    pattern: USER_ID_PATTERN,
    description: "The owner's number for the user",
    examples: [String(EXAMPLE.user.user_id)],
  }),
})
