import { config } from '../rig/candidate.js'
import { askInTurn } from '../rig/latencies.js'

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

await askInTurn(ask, { times, pauseMs: PAUSE_MS })
