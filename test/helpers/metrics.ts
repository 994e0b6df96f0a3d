import { readAccount } from '../../src/config/read.js'
import { createMetrics, type Metrics } from '../../src/metrics/metrics.js'
import { SERVICE_ENV } from './service.js'

/** For an app that is built by hand. */
export function testMetrics(): Metrics {
  return createMetrics({ version: '0.0.0', account: readAccount(SERVICE_ENV) })
}
