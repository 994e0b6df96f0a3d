import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Knex } from 'knex'
import { Type } from 'typebox'
import type { Account } from '../config.js'
import { ServiceError } from '../errors.js'
import { acceptPush } from './accept.js'
import { type CallbackSecrets, openEcho, openPush } from './open.js'

/** WeChat's pushes have a few hundred bytes; what a user may write is at most some KB. */
const BODY_LIMIT_BYTES = 64 * 1024

const PATHS = ['/wechat/callback', '/wechat/callback/:app_id']

const Params = Type.Object({ app_id: Type.Optional(Type.String()) })
/** A parameter that comes twice is a list, and no text. */
const Query = Type.Record(Type.String(), Type.Unknown())

/**
 * What WeChat calls. `onStored` is told when there is something to work off: WeChat hangs up after 5 s and sends again,
 * so the work is done after the answer. Any content type is taken: the body tells what it is.
 */
export function callbackRoutes(deps: {
  db: Knex
  account: Account
  onStored(): void
  now(): number
}): FastifyPluginAsyncTypebox {
  const { db, account, onStored, now } = deps

  function secretsFor(appId: string | undefined): CallbackSecrets {
    if (appId !== undefined && appId !== account.appId) {
      throw new ServiceError('not_found', 'This service has no account of this app_id')
    }
    if (account.callback.token === '') {
      throw new ServiceError('not_found', 'Callbacks are off: set WX_CALLBACK_TOKEN as in the console', {
        reason: 'off',
      })
    }
    return { appId: account.appId, ...account.callback }
  }

  return async (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
    // Checked against no schema of ours: the description is for callers, and this is for WeChat alone.
    const schema = { hide: true, params: Params, querystring: Query }

    for (const path of PATHS) {
      app.get(path, { schema }, async ({ params, query }, reply) => {
        const echo = openEcho(secretsFor(params.app_id), query)
        // The text is whatever the URL says: a browser must not take it for a page.
        return reply.type('text/plain').header('X-Content-Type-Options', 'nosniff').send(echo)
      })

      app.post(path, { schema, bodyLimit: BODY_LIMIT_BYTES }, async (request, reply) => {
        const secrets = secretsFor(request.params.app_id)
        const body = typeof request.body === 'string' ? request.body : ''
        const push = openPush(secrets, request.query, body, now())
        const stored = await acceptPush(db, { appId: secrets.appId, push, traceId: request.id }, now())
        if (stored > 0) onStored()
        return reply.type('text/plain').send('success')
      })
    }
  }
}
