import { createMetrics, type Metrics } from '../../src/metrics/metrics.js'

/** For an app that is built by hand. */
export function testMetrics(): Metrics {
  return createMetrics({ version: '0.0.0' })
}
