import { Pool } from 'undici'
import { HOUR_MS } from '../../src/lib/durations.js'
import { config, finish, ready } from '../rig/candidate.js'
import { quantilesOf } from '../rig/latencies.js'

/**
 * POST /v1/messages over a number of connections for a while, `batch` messages in each request, to users 1 to `users` in
 * turn. They may go out later, so that nothing sends meanwhile. A done unit is a message.
 */
const { url, apiKey, connections, seconds, warmUpSeconds, batch, users } = config<{
  url: string
  apiKey: string
  connections: number
  seconds: number
  warmUpSeconds: number
  batch: number
  users: number
}>()
const pool = new Pool(url, { connections })
const latencies: number[] = []
let done = 0
let requests = 0

function item(): object {
  const userId = 1 + (requests++ % users)
  const data = { keyword1: '您的包裹已到驿站', keyword2: '取件码 8-2-1024', keyword4: '2026.11.21' }
  return { user_id: userId, template_id: 'bench', data, not_before: Date.now() + HOUR_MS }
}

let endAt = 0
async function caller(): Promise<void> {
  while (performance.now() < endAt) {
    const body = JSON.stringify(batch === 1 ? item() : { items: Array.from({ length: batch }, item) })
    const headers = {
      'content-type': 'application/json',
      authorization: `Bearer ${apiKey}`,
      'idempotency-key': `load-${process.pid}-${requests}`,
    }
    const startedAt = performance.now()
    const response = await pool.request({ method: 'POST', path: '/v1/messages', headers, body })
    const answer = await response.body.text()
    if (response.statusCode !== 202 || !answer.includes('"queued"') || answer.includes('"error"'))
      throw new Error(`Messages were answered ${response.statusCode}: ${answer.slice(0, 300)}`)
    latencies.push(performance.now() - startedAt)
    done += batch
  }
}

async function callFor(seconds: number): Promise<number> {
  const startedAt = performance.now()
  endAt = startedAt + seconds * 1_000
  await Promise.all(Array.from({ length: connections }, caller))
  return (performance.now() - startedAt) / 1_000
}

await callFor(warmUpSeconds)
done = 0
latencies.length = 0
await ready()
const took = await callFor(seconds)
finish({ done, seconds: took, ...quantilesOf(latencies) })
