import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Knex } from 'knex'
import { Type } from 'typebox'
import { assertMigrated } from '../db/migrate.js'
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
        await assertMigrated(db).catch((error: unknown) => {
          throw error instanceof ServiceError
            ? error
            : new ServiceError('not_ready', 'The database does not answer')
        })
        return { status: 'ok' as const }
      },
    )
  }
}
