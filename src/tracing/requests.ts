import {
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** What the caller says the request is a part of. */
export function remoteParent(headers: FastifyRequest['headers']): Context {
  return propagation.extract(ROOT_CONTEXT, headers)
}

/** A span from the arrival of a request to the end of its answer; what the request leads to is part of it. */
export function traceRequests(
  app: FastifyInstance,
  begin: (name: string, request: FastifyRequest) => Span,
): void {
  const spans = new WeakMap<FastifyRequest, Span>()
  app.addHook('onRequest', (request, _, done) => {
    const span = begin(`${request.method} ${request.routeOptions.url ?? 'none'}`, request)
    spans.set(request, span)
    context.with(trace.setSpan(context.active(), span), done)
  })
  app.addHook('onResponse', (request, reply, done) => {
    const span = spans.get(request)
    span?.setAttribute('http.response.status_code', reply.statusCode)
    if (reply.statusCode >= 500) span?.setStatus({ code: SpanStatusCode.ERROR })
    span?.end()
    done()
  })
}
