import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Knex } from 'knex'
import { Type } from 'typebox'
import { ServiceError } from '../errors.js'
import { type AccountOf, AppId, AppIdQuery } from '../http/account-of.js'
import type { Callers } from '../http/callers.js'
import { BACKEND_ERRORS, DATABASE_ERRORS, errorsOf } from '../http/error-responses.js'
import { backendOnly, EXAMPLE, OpenId, PageLimit, UserId, UserIdParams } from '../http/schemas.js'
import { parseIsoDate } from '../lib/business-date.js'
import { userIdToJson } from '../lib/user-id.js'
import { readUserId } from '../users/persons.js'
import { findUserDetail } from './detail.js'
import { findMessagePage } from './messages.js'
import { findPermitPage } from './permits.js'
import { findUsersOf } from './persons.js'
import { MessagePageSchema, PermitPageSchema, SignInPageSchema, UserDetailSchema } from './schemas.js'
import { findSignInPage } from './sign-ins.js'

const DEFAULT_LIMIT = 20

const Limit = PageLimit(DEFAULT_LIMIT)
const limitOf = (limit: string | undefined): number => (limit === undefined ? DEFAULT_LIMIT : Number(limit))

const LookUp = Type.Object({ open_id: OpenId, app_id: Type.Optional(AppId) }, { additionalProperties: false })
const Found = Type.Object(
  {
    open_id: OpenId,
    user_ids: Type.Array(UserId, {
      description: 'The user that it is bound to; without a binding, all whose permits it gave',
    }),
  },
  {
    description: 'Somebody has been seen with it',
    examples: [{ open_id: EXAMPLE.user.open_id, user_ids: [EXAMPLE.user.user_id] }],
  },
)

const PermitQuery = Type.Object(
  {
    limit: Limit,
    app_id: Type.Optional(AppId),
    before: Type.Optional(
      Type.String({ minLength: 1, maxLength: 40, description: '`next` of the page before' }),
    ),
    status: Type.Optional(
      Type.Unsafe<'unspent' | 'spent' | 'expired'>({
        type: 'string',
        enum: ['unspent', 'spent', 'expired'],
        description: 'Only these',
      }),
    ),
  },
  { additionalProperties: false },
)
const MessageQuery = Type.Object(
  {
    limit: Limit,
    app_id: Type.Optional(AppId),
    before: Type.Optional(
      Type.String({ pattern: '^[0-9]{1,15}$', description: '`next` of the page before' }),
    ),
  },
  { additionalProperties: false },
)
const SignInQuery = Type.Object(
  {
    limit: Limit,
    app_id: Type.Optional(AppId),
    before: Type.Optional(
      Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$', description: '`next` of the page before' }),
    ),
  },
  { additionalProperties: false },
)

/** GET /v1/users, GET /v1/users/{user_id} and its lists. They read, and bind and allot nothing. */
export function userDataRoutes(deps: {
  db: Knex
  accountOf: AccountOf
  callers: Callers
  now(): number
}): FastifyPluginAsyncTypebox {
  const { db, accountOf, now } = deps
  const onRequest = deps.callers.backend('read')
  const common = { tags: ['users'], security: backendOnly('read') }
  const errors = errorsOf(...BACKEND_ERRORS, 'not_found', ...DATABASE_ERRORS)
  const userOf = ({ params }: { params: { user_id: string } }) => readUserId(params.user_id, 'user_id')

  return async (app) => {
    app.get(
      '/v1/users',
      {
        onRequest,
        schema: {
          ...common,
          operationId: 'findUsers',
          summary: 'The user of an open_id',
          description: 'Binds nothing. An open_id that nobody has been seen with is answered 404.',
          querystring: LookUp,
          response: { 200: Found, ...errors },
        },
      },
      async (request) => {
        const { open_id } = request.query
        const users = await findUsersOf(db, accountOf(request).appId, open_id)
        return { open_id, user_ids: users.map(userIdToJson) }
      },
    )
    app.get(
      '/v1/users/:user_id',
      {
        onRequest,
        schema: {
          ...common,
          operationId: 'getUser',
          summary: 'All that is on record about a user',
          description:
            'The open_ids, the counter, what stops messages, and the first 20 permits, sign-ins and messages; `next` of each list begins the next page of the call for that list. A number that nobody has been seen with is answered 404.',
          params: UserIdParams,
          querystring: AppIdQuery,
          response: { 200: UserDetailSchema, ...errors },
        },
      },
      (request) => findUserDetail(db, accountOf(request), userOf(request), now()),
    )
    app.get(
      '/v1/users/:user_id/permits',
      {
        onRequest,
        schema: {
          ...common,
          operationId: 'listUserPermits',
          summary: 'The permits of a user',
          description:
            'Those that run out last come first. With `status`, a page may hold fewer than `limit` and still have a `next`.',
          params: UserIdParams,
          querystring: PermitQuery,
          response: { 200: PermitPageSchema, ...errors },
        },
      },
      (request) => {
        const { limit, before, status } = request.query
        return findPermitPage(db, accountOf(request).appId, userOf(request), {
          limit: limitOf(limit),
          before,
          status,
        })
      },
    )
    app.get(
      '/v1/users/:user_id/sign-ins',
      {
        onRequest,
        schema: {
          ...common,
          operationId: 'listUserSignIns',
          summary: 'The days on which a user signed in',
          description: 'The newest first.',
          params: UserIdParams,
          querystring: SignInQuery,
          response: { 200: SignInPageSchema, ...errors },
        },
      },
      (request) => {
        const { limit, before } = request.query
        return findSignInPage(db, accountOf(request).appId, userOf(request), {
          limit: limitOf(limit),
          before: dayOf(before),
        })
      },
    )
    app.get(
      '/v1/users/:user_id/messages',
      {
        onRequest,
        schema: {
          ...common,
          operationId: 'listUserMessages',
          summary: 'The messages of a user, each with its attempts',
          description: 'The newest first.',
          params: UserIdParams,
          querystring: MessageQuery,
          response: { 200: MessagePageSchema, ...errors },
        },
      },
      (request) => {
        const { limit, before } = request.query
        const page = { limit: limitOf(limit), before: before === undefined ? undefined : Number(before) }
        return findMessagePage(db, accountOf(request).appId, userOf(request), page)
      },
    )
  }
}

function dayOf(date: string | undefined): number | undefined {
  if (date === undefined) return undefined
  const day = parseIsoDate(date)
  if (day === undefined)
    throw new ServiceError('invalid_request', `before: ${date} is not a valid day`, { field: 'before' })
  return day
}
