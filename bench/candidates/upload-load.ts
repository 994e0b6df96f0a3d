import { randomBytes } from 'node:crypto'
import { Pool } from 'undici'
import { openIdOf } from '../rig/database.js'
import { config, finish, ready } from '../rig/process.js'

/** Uploads over a number of connections for a while, `batch` form_ids in each request. A done unit is a form_id. */
const { url, apiKey, connections, seconds, batch } = config<{
  url: string
  apiKey: string
  connections: number
  seconds: number
  batch: number
}>()
const USERS = 200_000
const pool = new Pool(url, { connections })
const headers = { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` }
const latencies: number[] = []
let done = 0

function item(): object {
  const userId = 1 + Math.floor(Math.random() * USERS)
  return { open_id: openIdOf(userId), user_id: userId, form_id: randomBytes(16).toString('hex') }
}

async function caller(endAt: number): Promise<void> {
  while (performance.now() < endAt) {
    const body = JSON.stringify(batch === 1 ? item() : { items: Array.from({ length: batch }, item) })
    const startedAt = performance.now()
    const response = await pool.request({ method: 'POST', path: '/v1/form-ids', headers, body })
    await response.body.dump()
    if (response.statusCode !== 201) throw new Error(`An upload was answered ${response.statusCode}`)
    latencies.push(performance.now() - startedAt)
    done += batch
  }
}

await ready()
const startedAt = performance.now()
const endAt = startedAt + seconds * 1_000
await Promise.all(Array.from({ length: connections }, () => caller(endAt)))
const took = (performance.now() - startedAt) / 1_000
latencies.sort((a, b) => a - b)
const quantile = (q: number): number => latencies[Math.floor(latencies.length * q)] ?? Number.NaN
finish({ done, seconds: took, p50_ms: quantile(0.5), p99_ms: quantile(0.99) })
