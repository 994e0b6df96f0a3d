import { setTimeout as pause } from 'node:timers/promises'
import { noAnswer } from './errors.js'

export interface Patience {
  /** Requests for one call, the first included. */
  attempts: number
  /** How long one request may take. */
  timeoutMs: number
  /** Who is told to wait longer gets the failure instead. */
  longestWaitMs: number
  /** Of 0 to 1, as Math.random. */
  random(): number
  wait(ms: number): Promise<unknown>
}

const PATIENCE: Patience = {
  attempts: 4,
  timeoutMs: 30_000,
  longestWaitMs: 60_000,
  random: Math.random,
  wait: (ms) => pause(ms),
}

/**
 * A fetch that sends the same again after 429, 503 or no answer: every call of this service may be repeated. It waits as
 * long as Retry-After says and up to a quarter longer, so that callers who were refused together do not come back
 * together; without Retry-After up to 0.5 s, 1 s, 2 s.
 */
export function retryingFetch(changes: Partial<Patience> = {}): (request: Request) => Promise<Response> {
  const { attempts, timeoutMs, longestWaitMs, random, wait } = { ...PATIENCE, ...changes }

  async function send(request: Request): Promise<Response | { cause: unknown }> {
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)])
    try {
      return await fetch(request.clone(), { signal })
    } catch (cause) {
      request.signal.throwIfAborted()
      return { cause }
    }
  }

  function waitAfter(answer: Response | { cause: unknown }, attempt: number): number {
    const seconds = answer instanceof Response ? Number(answer.headers.get('retry-after')) : 0
    return seconds > 0 ? seconds * 1_000 * (1 + random() / 4) : 250 * 2 ** attempt * random()
  }

  return async (request) => {
    for (let attempt = 1; ; attempt++) {
      const answer = await send(request)
      const ms = waitAfter(answer, attempt)
      const isLast = attempt === attempts || ms > longestWaitMs * 1.25
      if (!(answer instanceof Response)) {
        if (isLast) throw noAnswer(request, answer.cause)
      } else {
        if (isLast || (answer.status !== 429 && answer.status !== 503)) return answer
        await answer.body?.cancel()
      }
      await wait(ms)
    }
  }
}
