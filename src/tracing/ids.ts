import { type IdGenerator, RandomIdGenerator } from '@opentelemetry/sdk-trace-node'

export interface TraceIds extends IdGenerator {
  /** A root span that is begun in `begin` gets this trace id, so that log and spans name a request alike. */
  withTraceId<T>(traceId: string, begin: () => T): T
}

export function createTraceIds(): TraceIds {
  const random = new RandomIdGenerator()
  let wanted: string | undefined
  return {
    generateTraceId: () => wanted ?? random.generateTraceId(),
    generateSpanId: () => random.generateSpanId(),
    withTraceId(traceId, begin) {
      wanted = traceId
      try {
        return begin()
      } finally {
        wanted = undefined
      }
    },
  }
}
