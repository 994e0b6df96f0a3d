import type { Instance } from '../lib/instance.js'
import type { Tracing } from './tracing.js'

/**
 * Tracing to the collector at an address. The SDK is loaded here and nowhere else: without an address, it
 * costs nothing.
 */
export async function openTracing(
  endpoint: string | undefined,
  instance: Instance,
): Promise<Tracing | undefined> {
  if (endpoint === undefined) return undefined
  const { createTracing } = await import('./otel.js')
  return createTracing(endpoint, instance)
}
