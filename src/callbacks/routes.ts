import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Account } from '../account.js'
import type { Accounts } from '../accounts.js'
import type { DatabaseOf } from '../db/share.js'
import { ServiceError } from '../errors.js'
import { createFailures, type Failures } from '../http/failures.js'
import type { Logger } from '../lib/logger.js'
import { acceptPush } from './accept.js'
import {
  type CallbackSecrets,
  checkPush,
  checkQuery,
  hasPlainSignature,
  openEcho,
  readPush,
  reasonOf,
  refusal,
} from './open.js'

/** WeChat's pushes have a few hundred bytes; what a user may write is at most some KB. */
const BODY_LIMIT_BYTES = 16 * 1024

const PATHS = ['/wechat/callback', '/wechat/callback/:app_id']

const Params = Type.Object({ app_id: Type.Optional(Type.String()) })
/** A parameter that comes twice is a list, not a text. */
const Query = Type.Record(Type.String(), Type.Unknown())

/**
 * The routes that WeChat calls. `onStored` is called when there is something to process: WeChat hangs up
 * after 5 s and sends again, so processing happens after the answer. Any content type is accepted: the body
 * tells what it is.
 */
export function callbackRoutes(deps: {
  dbOf: DatabaseOf
  accounts: Accounts
  /** How many refused pushes a minute are answered as such, by address. */
  refusedPerMinute: number
  onStored(appId: string, events: number): void
  /** Is told of each push that is refused, and why. */
  onRefused?(reason: string): void
  log: Logger
  now(): number
}): FastifyPluginAsyncTypebox {
  const { dbOf, accounts, onStored, log, now } = deps
  const limit = {
    perMinute: deps.refusedPerMinute,
    log,
    now,
    ...(deps.onRefused ? { onFailure: deps.onRefused } : {}),
  }
  const refused = new Map<string, Refused>()

  /** WeChat pushes to all accounts from the same addresses: a wrong key of one must not keep the others' out. */
  function refusedOf({ appId }: CallbackSecrets): Refused {
    const known = refused.get(appId) ?? {
      forged: createFailures({ event: 'callback.forged', appId, ...limit }),
      unreadable: createFailures({ event: 'callback.unreadable', appId, ...limit }),
    }
    refused.set(appId, known)
    return known
  }

  function secretsFor(appId: string | undefined): CallbackSecrets {
    const account = accountAt(accounts, appId)
    if (account.callback.token === '') {
      throw new ServiceError('not_found', 'Callbacks are off: set WX_CALLBACK_TOKEN as in the console', {
        reason: 'off',
      })
    }
    return { appId: account.appId, ...account.callback }
  }

  /** The result of `check`; a refusal is counted for the address that it came from. */
  function orCount<T>(request: FastifyRequest, secrets: CallbackSecrets, check: () => T): T {
    try {
      return check()
    } catch (error) {
      const reason = reasonOf(error)
      if (reason !== undefined && reason !== 'off') refusedOf(secrets).forged.count(request, reason)
      throw error
    }
  }

  /**
   * In encrypted mode every fault in the signed part has the same answer, and only the log has the reason:
   * otherwise somebody who knows the token could decrypt and forge pushes by asking which fault it was (a
   * padding oracle). In plain mode there is nothing to find out.
   */
  function hideReason(request: FastifyRequest, secrets: CallbackSecrets, error: unknown): unknown {
    const reason = reasonOf(error)
    if (reason === undefined || secrets.encodingAesKey === '') return error
    refusedOf(secrets).unreadable.count(request, reason)
    log.warn({ event: 'callback.refused', trace_id: request.id, app_id: secrets.appId, reason })
    return refusal('content', 'The push is signed but cannot be read; the log of the service says why')
  }

  return async (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
    // No schema checks these: the API description is for callers, and these routes are for WeChat alone.
    const schema = { hide: true, params: Params, querystring: Query }

    for (const path of PATHS) {
      app.get(path, { schema }, async (request, reply) => {
        const secrets = secretsFor(request.params.app_id)
        refusedOf(secrets).forged.check(request)
        const echo = orCount(request, secrets, () => openEcho(secrets, request.query, now()))
        // The URL decides the text: with nosniff, a browser does not take it for a page.
        return reply.type('text/plain').send(echo)
      })

      app.post(path, {
        schema,
        bodyLimit: BODY_LIMIT_BYTES,
        // Before the body is read. Behind a proxy that TRUST_PROXY does not name, all requests come from one
        // address: if the signature of its query is right, a push is WeChat's, whoever else calls from there.
        onRequest: async (request) => {
          const query = request.query as Record<string, unknown>
          const secrets = secretsFor((request.params as { app_id?: string }).app_id)
          const { forged, unreadable } = refusedOf(secrets)
          unreadable.check(request)
          if (!hasPlainSignature(secrets, query)) forged.check(request)
          orCount(request, secrets, () => checkQuery(secrets, query, now()))
        },
        handler: async (request, reply) => {
          const secrets = secretsFor(request.params.app_id)
          const body = typeof request.body === 'string' ? request.body : ''
          const signed = orCount(request, secrets, () => checkPush(secrets, request.query, body))
          try {
            const push = readPush(secrets, signed)
            const { appId } = secrets
            const stored = await acceptPush(dbOf(appId), { appId, push, traceId: request.id }, now())
            if (stored > 0) onStored(secrets.appId, stored)
          } catch (error) {
            throw hideReason(request, secrets, error)
          }
          return reply.type('text/plain').send('success')
        },
      })
    }
  }
}

interface Refused {
  forged: Failures
  unreadable: Failures
}

/** What is inside of a push cannot be asked: it is read with the account's own key. */
function accountAt(accounts: Accounts, appId: string | undefined): Account {
  if (appId === undefined && accounts.all.length !== 1)
    throw new ServiceError(
      'not_found',
      'Several accounts are served here: enter /wechat/callback/APP_ID in the console',
    )
  return accounts.of(appId)
}
