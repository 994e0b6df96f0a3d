import type { FastifyInstance } from 'fastify'
import type { Send } from '../messages/send.js'

/** Spans of what the service does, for a collector. */
export interface Tracing {
  /** A span for each request. Call it before the routes. */
  traceRequests(app: FastifyInstance): void
  /** The same, with a span for each request to WeChat. */
  traceSend(send: Send): Send
  /** Uploads were committed together, in the trace of the first of them. */
  committed(group: { requests: number; permits: number; seconds: number }): void
  /** A run claimed users. */
  claimed(users: number, seconds: number): void
  /** An event of WeChat was worked on, in the trace of the request that brought it. */
  applied(event: string, outcome: string): void
  /** Sends what is left, for at most two seconds. Never rejects. */
  close(): Promise<void>
}
