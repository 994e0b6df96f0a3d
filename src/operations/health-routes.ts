import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Knex } from 'knex'
import { Type } from 'typebox'
import { whyUnavailable } from '../db/errors.js'
import { tryWrite } from '../db/try-write.js'
import { ServiceError } from '../errors.js'
import { errorsOf } from '../http/error-responses.js'
import { withDeadline } from '../lib/deadline.js'
import { programVersion } from '../lib/version.js'

const Ready = Type.Object(
  { status: Type.Literal('ok') },
  { description: 'It can do its work', examples: [{ status: 'ok' }] },
)
const Healthy = Type.Object(
  { status: Type.Literal('ok'), version: Type.String({ description: 'Of the program that answers' }) },
  { description: 'The process answers', examples: [{ status: 'ok', version: '0.1.0' }] },
)

/** Less than the patience of the caller, who would learn nothing from a request that hangs. */
const READY_LIMIT_MS = 3_000

export interface HealthDeps {
  db: Knex
  /** Throws what is missing if the database is not ready for work. */
  assertMigrated(db: Knex): Promise<void>
}

/**
 * GET /healthz: the process answers. GET /readyz: it can do its work, i.e. the database answers soon, accepts
 * writes and has all migrations.
 */
export function healthRoutes(deps: HealthDeps): FastifyPluginAsyncTypebox {
  let checking: Promise<void> | undefined

  /** One check at a time: while a database hangs, each would hold a connection of the pool. */
  function check(): Promise<void> {
    checking ??= assertReady(deps).finally(() => {
      checking = undefined
    })
    return checking
  }

  return async (app) => {
    app.get(
      '/healthz',
      {
        schema: {
          operationId: 'getHealth',
          summary: 'Whether the process answers, and its version',
          description: 'Asks nothing of the database: for whoever restarts a process that hangs.',
          tags: ['operations'],
          security: [],
          response: { 200: Healthy, ...errorsOf('malformed_request', 'internal') },
        },
      },
      async () => ({ status: 'ok' as const, version: programVersion() }),
    )
    app.get(
      '/readyz',
      {
        schema: {
          operationId: 'getReadiness',
          summary: 'Whether the service can do its work',
          description:
            'The database answers within 3 s, takes writes and has all migrations: for whoever sends it requests.',
          tags: ['operations'],
          security: [],
          response: { 200: Ready, ...errorsOf('malformed_request', 'internal', 'not_ready') },
        },
      },
      async () => {
        await withDeadline(check(), READY_LIMIT_MS).catch((error: unknown) => {
          throw error instanceof ServiceError
            ? error
            : new ServiceError('not_ready', `The database ${whyUnavailable(error) ?? 'does not answer'}`)
        })
        return { status: 'ok' as const }
      },
    )
  }
}

async function assertReady({ db, assertMigrated }: HealthDeps): Promise<void> {
  await assertMigrated(db)
  try {
    await tryWrite(db)
  } catch (error) {
    // The database answers: unless the error says that it is away, it has refused the write (rights, a full
    // disk, a file that cannot be written).
    if (whyUnavailable(error) !== undefined) throw error
    throw new ServiceError('not_ready', 'The database accepts no writes')
  }
}
