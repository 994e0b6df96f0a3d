import { setTimeout as sleep } from 'node:timers/promises'
import type { FetchTokenResult } from '../../src/wechat/access-token.js'
import { tokenEndpointErrcodeOf } from '../../src/wechat/errcodes.js'

export const fetched = (token: string, expiresInMs = 7_200_000): FetchTokenResult => ({
  kind: 'fetched',
  token,
  expiresInMs,
})

export const refused = (errcode: number, errmsg = 'no'): FetchTokenResult => ({
  kind: 'refused',
  errcode,
  errmsg,
  entry: tokenEndpointErrcodeOf(errcode),
})

type Fetch = (signal: AbortSignal) => Promise<FetchTokenResult>

export interface TokenEndpoint {
  fetch: Fetch
  calls: number
  /** How long each call takes. */
  takesMs: number
  /** The next calls are answered with these, one each; later ones with token-1, token-2 and so on. */
  next(...results: (FetchTokenResult | Fetch)[]): void
  /** The next call is answered when the returned function is called. */
  nextLater(): (result: FetchTokenResult) => void
}

/** What stands for WeChat's token endpoint, seen from all the processes of a test. */
export function tokenEndpoint(): TokenEndpoint {
  const queue: (FetchTokenResult | Fetch)[] = []
  let given = 0
  const endpoint: TokenEndpoint = {
    calls: 0,
    takesMs: 0,
    next: (...results) => void queue.push(...results),
    nextLater: () => {
      let answer: (result: FetchTokenResult) => void = () => {}
      const answered = new Promise<FetchTokenResult>((resolve) => {
        answer = resolve
      })
      queue.push(() => answered)
      return answer
    },
    fetch: async (signal) => {
      endpoint.calls++
      const next = queue.shift() ?? fetched(`token-${++given}`)
      if (endpoint.takesMs > 0) await sleep(endpoint.takesMs)
      return typeof next === 'function' ? next(signal) : next
    },
  }
  return endpoint
}

export interface LogLine {
  level: 'info' | 'warn' | 'error'
  fields: Record<string, unknown>
  message: string | undefined
}

/** Keeps what is logged. */
export function recordingLogger() {
  const lines: LogLine[] = []
  const at = (level: LogLine['level']) => (fields: object, message?: string) =>
    void lines.push({ level, fields: { ...fields }, message })
  return {
    lines,
    events: () => lines.map(({ fields }) => fields.event),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
  }
}
