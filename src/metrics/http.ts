import type { FastifyInstance } from 'fastify'
import { type Instruments, SECONDS } from './instruments.js'

/** For requests that match no route: their paths are whatever strangers ask for. */
const NO_ROUTE = 'none'

/** Counts the requests of an app. Call what it returns before the routes: hooks apply to what comes after them. */
export function createHttpMetrics(instruments: Instruments): (app: FastifyInstance) => void {
  const requests = instruments.counter('http_requests_total', 'HTTP requests answered.', [
    'method',
    'route',
    'code',
  ])
  const durations = instruments.histogram(
    'http_request_duration_seconds',
    'Time from the arrival of an HTTP request to the end of its answer.',
    SECONDS,
    ['method', 'route'],
  )
  return (app) => {
    app.addHook('onResponse', (request, reply, done) => {
      const path = request.routeOptions.url
      const route = path ?? NO_ROUTE
      const method = path === undefined ? NO_ROUTE : request.method
      requests.inc({ method, route, code: reply.statusCode })
      durations.observe({ method, route }, reply.elapsedTime / 1_000)
      done()
    })
  }
}
