import {
  type Attributes,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import type { FastifyRequest } from 'fastify'
import { withDeadline } from '../lib/deadline.js'
import type { Instance } from '../lib/instance.js'
import { permitMark } from '../lib/permit-mark.js'
import { createTraceIds } from './ids.js'
import { remoteParent, traceRequests } from './requests.js'
import type { Tracing } from './tracing.js'

const NAME = 'sign-in-reminder'
/** A stop does not wait longer for a collector that is away. */
const CLOSE_LIMIT_MS = 2_000

/** Spans by OpenTelemetry's SDK. What the collector does not take in time is dropped: at most 2,048 spans wait. */
export function createTracing(endpoint: string, instance: Instance): Tracing {
  const ids = createTraceIds()
  const url = `${endpoint.replace(/\/$/, '')}/v1/traces`
  const provider = new NodeTracerProvider({
    idGenerator: ids,
    resource: defaultResource()
      .merge(
        resourceFromAttributes({
          'service.name': NAME,
          'service.version': instance.version,
          'service.instance.id': instance.id,
        }),
      )
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url }))],
  })
  // Registers the W3C propagator, and a context that follows promises.
  provider.register()
  const tracer = provider.getTracer(NAME, instance.version)

  /** A span of what has just ended, as part of what is under way. */
  function ended(name: string, seconds: number, attributes: Record<string, string | number>): void {
    const now = Date.now()
    tracer.startSpan(name, { attributes, startTime: now - seconds * 1_000 }).end(now)
  }

  return {
    traceRequests: (app) =>
      traceRequests(app, (name, request) => {
        const parent = remoteParent(request.headers)
        return ids.withTraceId(request.id, () =>
          tracer.startSpan(name, { kind: SpanKind.SERVER, attributes: requestAttributes(request) }, parent),
        )
      }),
    traceSend: (send) => (message, mayLeave) => {
      const span = tracer.startSpan('wechat.send', {
        kind: SpanKind.CLIENT,
        root: true,
        attributes: {
          'message.id': message.id,
          ...(message.permitId === null
            ? {}
            : { 'permit.id': message.permitId, permit: permitMark(message.formId) }),
          'wechat.channel': message.channel,
        },
      })
      const within = trace.setSpan(context.active(), span)
      return context
        .with(within, () => send(message, mayLeave))
        .then((result) => {
          if (result.kind === 'refused') span.setAttribute('wechat.errcode', result.errcode)
          if (result.kind !== 'accepted') fail(span, result.kind)
          return result
        })
        .finally(() => span.end())
    },
    committed: ({ seconds, ...group }) => ended('permits.commit', seconds, group),
    claimed: (users, seconds) => ended('reminders.claim', seconds, { users }),
    applied: (event, outcome) => ended('callback.apply', 0, { event, outcome }),
    async close() {
      await withDeadline(provider.shutdown(), CLOSE_LIMIT_MS).catch(() => {
        // The collector is away: its spans are lost, and a stop goes on.
      })
      trace.disable()
      propagation.disable()
      context.disable()
    },
  }
}

function requestAttributes({ method, routeOptions }: FastifyRequest): Attributes {
  return { 'http.request.method': method, 'http.route': routeOptions.url ?? 'none' }
}

function fail(span: Span, message: string): void {
  span.setStatus({ code: SpanStatusCode.ERROR, message })
}
