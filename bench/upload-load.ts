import { randomBytes } from 'node:crypto'
import { Pool } from 'undici'

/**
 * Uploads one form_id per request over a number of connections, for a while; prints the result as one JSON
 * line.
 */
const { URL: url = '', KEY: key = '' } = process.env
const connections = Number(process.env.CONNECTIONS)
const endAt = performance.now() + Number(process.env.SECONDS) * 1000
const USERS = 200_000

const pool = new Pool(url, { connections })
const latencies: number[] = []
let failed = 0

async function caller(): Promise<void> {
  while (performance.now() < endAt) {
    const userId = Math.floor(Math.random() * USERS)
    const body = JSON.stringify({
      open_id: `oBench${String(userId).padStart(22, '0')}`,
      user_id: userId,
      form_id: randomBytes(16).toString('hex'),
    })
    const startedAt = performance.now()
    const response = await pool.request({
      method: 'POST',
      path: '/v1/form-ids',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body,
    })
    await response.body.dump()
    latencies.push(performance.now() - startedAt)
    if (response.statusCode !== 201) failed++
  }
}

const startedAt = performance.now()
await Promise.all(Array.from({ length: connections }, caller))
const seconds = (performance.now() - startedAt) / 1000
latencies.sort((a, b) => a - b)
const quantile = (q: number): number =>
  Math.round((latencies[Math.floor(latencies.length * q)] ?? 0) * 10) / 10
process.stdout.write(
  `${JSON.stringify({
    uploads: latencies.length,
    failed,
    uploads_per_second: Math.round(latencies.length / seconds),
    p50_ms: quantile(0.5),
    p99_ms: quantile(0.99),
  })}\n`,
)
await pool.close()
