import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Knex } from 'knex'
import { Type } from 'typebox'
import { pendingMigrations } from '../db/migrate.js'
import { ServiceError } from '../errors.js'
import { ErrorBody } from '../http/errors.js'

const Healthy = Type.Object({ status: Type.Literal('ok') })

/** GET /healthz: the process answers. GET /readyz: it can do its work, i.e. the database is there with all migrations. */
export function healthRoutes({ db }: { db: Knex }): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/healthz', { schema: { tags: ['operations'], response: { 200: Healthy } } }, async () => ({
      status: 'ok' as const,
    }))
    app.get(
      '/readyz',
      { schema: { tags: ['operations'], response: { 200: Healthy, 503: ErrorBody } } },
      async () => {
        const pending = await pendingMigrations(db).catch(() => {
          throw new ServiceError('not_ready', 'The database does not answer')
        })
        if (pending.length > 0) {
          throw new ServiceError('not_ready', `${pending.length} migrations are pending: npm run migrate`)
        }
        return { status: 'ok' as const }
      },
    )
  }
}
