import { setTimeout as sleep } from 'node:timers/promises'
import type { Luck } from './luck.js'

export interface Call {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  path: string
  body?: object
  headers?: Record<string, string>
}

export interface Answer {
  status: number
  body: unknown
}

const REQUEST_TIMEOUT_MS = 3_000
const PAUSE_MS = 50

/** Asks services of which any may be down, again and again, as a backend does that wants an answer. */
export class Backend {
  requests = 0
  unanswered = 0
  readonly #apiKey: string
  readonly #urls: string[]
  readonly #luck: Luck

  constructor(apiKey: string, urls: string[], luck: Luck) {
    this.#apiKey = apiKey
    this.#urls = urls
    this.#luck = luck
  }

  /** Sends the same request until somebody answers it; undefined if `stopped` before. 5xx is no answer. */
  async ask({ method, path, body, headers }: Call, stopped: () => boolean): Promise<Answer | undefined> {
    while (!stopped()) {
      this.requests++
      try {
        const response = await fetch(this.#luck.pick(this.#urls) + path, {
          method,
          headers: {
            authorization: `Bearer ${this.#apiKey}`,
            ...(body ? { 'content-type': 'application/json' } : {}),
            ...headers,
          },
          ...(body ? { body: JSON.stringify(body) } : {}),
          signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        })
        const answer: unknown = await response.json()
        if (response.status < 500) return { status: response.status, body: answer }
      } catch {
        // Nobody there, or gone in the middle of the answer.
      }
      this.unanswered++
      await sleep(PAUSE_MS)
    }
    return undefined
  }
}
