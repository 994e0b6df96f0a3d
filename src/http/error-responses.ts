import { Type } from 'typebox'
import { ERROR_STATUS, type ErrorCode } from '../errors.js'
import { ERROR_TABLE } from './error-table.js'
import { ErrorBody } from './errors.js'

/** Sets of codes for errorsOf. */

/** Of every call that asks the database. */
export const DATABASE_ERRORS = ['internal', 'not_ready', 'overloaded'] as const
/** Of a call about an account, which takes `app_id`. */
const ACCOUNT_ERRORS = ['unknown_account', 'invalid_request'] as const
/** Of a call with `onRequest: callers.backend(…)`. */
export const BACKEND_ERRORS = ['unauthorized', 'forbidden', 'too_many_requests', ...ACCOUNT_ERRORS] as const
/** Of a call with `onRequest: callers.backendOrSession(…)`. */
export const CALLER_ERRORS = [
  'unauthorized',
  'forbidden',
  'user_not_bound',
  'too_many_requests',
  ...ACCOUNT_ERRORS,
] as const
/** Of a call with a body. */
export const BODY_ERRORS = [
  'malformed_json',
  'payload_too_large',
  'unsupported_media_type',
  'invalid_request',
] as const

type StatusOf<Code extends ErrorCode> = (typeof ERROR_STATUS)[Code]

/**
 * For the `response` of a route: one entry for each status of these error codes, with what each code means and an
 * example of it. Codes that no route decides about (malformed_request, request_timeout, headers_too_large) are
 * described once for all.
 *
 *     response: { 200: Answer, ...errorsOf(...BACKEND_ERRORS, ...DATABASE_ERRORS, 'not_found') }
 */
export function errorsOf<Code extends ErrorCode>(...codes: Code[]): Record<StatusOf<Code>, typeof ErrorBody> {
  const statuses = [...new Set(codes.map((code) => ERROR_STATUS[code]))]
  const entries = statuses.map((status) => {
    const ofStatus = [...new Set(codes)].filter((code) => ERROR_STATUS[code] === status)
    return [status, responseOf(status, ofStatus)] as const
  })
  return Object.fromEntries(entries) as Record<StatusOf<Code>, typeof ErrorBody>
}

const RETRY_AFTER = {
  'Retry-After': { type: 'integer', description: 'Seconds after which it may be sent again' },
}

function responseOf(status: number, codes: ErrorCode[]): typeof ErrorBody {
  const meanings = codes.map((code) => {
    const { en, zh } = ERROR_TABLE[code].meaning
    return `\`${code}\`: ${en}（${zh}）`
  })
  return Type.Object(
    {
      error: Type.Object({
        code: Type.String({ enum: codes }),
        message: Type.String({ description: 'For people: what is wrong and what to do' }),
        details: ErrorBody.properties.error.properties.details,
      }),
    },
    {
      description: meanings.join('\n\n'),
      'x-examples': Object.fromEntries(
        codes.map((code) => [code, { value: { error: { code, ...ERROR_TABLE[code].example } } }]),
      ),
      ...(status === 429 || status === 503 ? { headers: RETRY_AFTER } : {}),
    },
  )
}
