import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { errorsOf } from '../http/error-responses.js'
import type { Failures } from '../http/failures.js'
import { createMetricsAccess } from './access.js'
import type { Metrics } from './metrics.js'

const EXAMPLE_TEXT = `# HELP reminder_database_up Whether the database answers
# TYPE reminder_database_up gauge
reminder_database_up 1
`

/** GET /metrics */
export function metricsRoutes(deps: {
  metrics: Metrics
  token: string | undefined
  failures: Failures
}): FastifyPluginAsyncTypebox {
  const { metrics } = deps
  const assertMayRead = createMetricsAccess(deps.token, deps.failures)
  return async (app) => {
    app.get(
      '/metrics',
      {
        onRequest: async (request) => assertMayRead(request),
        schema: {
          operationId: 'readMetrics',
          summary: 'Metrics for Prometheus',
          description:
            'In its text format. With METRICS_TOKEN as "Authorization: Bearer TOKEN"; where none is set, from the same machine only. A database that does not answer shows as reminder_database_up 0.',
          tags: ['operations'],
          security: [],
          response: {
            200: {
              description: 'All metrics of this process',
              content: { 'text/plain': { schema: Type.String(), example: EXAMPLE_TEXT } },
            },
            ...errorsOf('unauthorized', 'forbidden', 'too_many_requests', 'internal'),
          },
        },
      },
      async (_, reply) => reply.header('Content-Type', metrics.contentType).send(await metrics.text()),
    )
  }
}
