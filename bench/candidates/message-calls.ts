import { setTimeout as pause } from 'node:timers/promises'
import { config, finish, ready } from '../rig/process.js'

/** One call about one message after the other, from id `from` on, each `step` further. A done unit is an answer. */
const { url, method, path, body, status, apiKey, times, from, step } = config<{
  url: string
  method: string
  /** `{id}` stands for the message. */
  path: string
  body?: string
  status: number
  apiKey: string
  times: number
  from: number
  step: number
}>()
const PAUSE_MS = 20
const WARM_UP = 5

let id = from
async function ask(): Promise<number> {
  const startedAt = performance.now()
  const answer = await fetch(url + path.replace('{id}', String(id)), {
    method,
    headers: {
      authorization: `Bearer ${apiKey}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body }),
  })
  const said = await answer.text()
  const ms = performance.now() - startedAt
  if (answer.status !== status) throw new Error(`${path} of ${id} was answered ${answer.status}: ${said}`)
  id += step
  return ms
}

for (let i = 0; i < WARM_UP; i++) await ask()
await ready()
const startedAt = performance.now()
const latencies: number[] = []
for (let i = 0; i < times; i++) {
  latencies.push(await ask())
  await pause(PAUSE_MS)
}
const seconds = (performance.now() - startedAt) / 1_000
latencies.sort((a, b) => a - b)
const quantile = (q: number): number => latencies[Math.floor(latencies.length * q)] ?? Number.NaN
finish({ done: times, seconds, p50_ms: quantile(0.5), p99_ms: quantile(0.99) })
