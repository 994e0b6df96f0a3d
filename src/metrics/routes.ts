import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { ErrorBody } from '../http/errors.js'
import type { Failures } from '../http/failures.js'
import { createMetricsAccess } from './access.js'
import type { Metrics } from './metrics.js'

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
          response: {
            200: {
              description: 'All metrics of this process',
              content: { 'text/plain': { schema: Type.String() } },
            },
            '4xx': ErrorBody,
          },
        },
      },
      async (_, reply) => reply.header('Content-Type', metrics.contentType).send(await metrics.text()),
    )
  }
}
