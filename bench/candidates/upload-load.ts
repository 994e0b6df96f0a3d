import { randomBytes } from 'node:crypto'
import { Pool } from 'undici'
import { config, finish, ready } from '../rig/candidate.js'
import { openIdOf } from '../rig/fill.js'
import { quantilesOf } from '../rig/latencies.js'

/**
 * Uploads over a number of connections for a while, or until it is told to stop; `batch` form_ids in each request. A done
 * unit is a form_id.
 */
const { url, apiKey, connections, seconds, warmUpSeconds, batch } = config<{
  url: string
  apiKey: string
  connections: number
  seconds: number
  /** Not counted: the first requests are compiled while they run, here and in the listener; a service runs for months. */
  warmUpSeconds: number
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

let endAt = 0
async function caller(): Promise<void> {
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

async function callFor(seconds: number): Promise<number> {
  const startedAt = performance.now()
  endAt = startedAt + seconds * 1_000
  await Promise.all(Array.from({ length: connections }, caller))
  return (performance.now() - startedAt) / 1_000
}

await callFor(warmUpSeconds)
const warmedUp = done
done = 0
latencies.length = 0
await ready()
process.stdin.once('data', () => {
  endAt = 0
})
const took = await callFor(seconds)
finish({ done, seconds: took, acknowledged: warmedUp + done, ...quantilesOf(latencies) })
