import { Pool } from 'undici'
import { programVersion } from '../lib/version.js'

/** A receiver should only store what it is told; longer is as good as no answer. */
const TIMEOUT_MS = 5_000
const CONNECT_TIMEOUT_MS = 3_000
/** What the receiver says is not read: so much of it keeps the connection usable, more closes it. */
const MAX_BODY_BYTES = 16 * 1024
const MAX_ERROR = 64

/** What came back: a status, or why none did. */
export type WebhookAnswer = { status: number } | { error: string }

export interface WebhookClient {
  /** Never rejects. */
  post(body: string, headers: Record<string, string>): Promise<WebhookAnswer>
  close(): Promise<void>
}

/** Connections of its own to one receiver. Redirects are not followed: only the configured URL is told anything. */
export function createWebhookClient(
  to: string,
  { connections, timeoutMs = TIMEOUT_MS }: { connections: number; timeoutMs?: number | undefined },
): WebhookClient {
  const url = new URL(to)
  const pool = new Pool(url.origin, {
    connections,
    pipelining: 1,
    allowH2: false,
    connect: { timeout: Math.min(CONNECT_TIMEOUT_MS, timeoutMs) },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  })
  return {
    async post(body, headers) {
      // From beginning to end: a receiver that trickles holds nothing up either.
      const signal = AbortSignal.timeout(timeoutMs)
      try {
        const { statusCode, body: said } = await pool.request({
          method: 'POST',
          path: url.pathname + url.search,
          headers: { 'content-type': 'application/json', 'user-agent': USER_AGENT, ...headers },
          body,
          signal,
        })
        await said.dump({ limit: MAX_BODY_BYTES, signal }).catch(() => {})
        return { status: statusCode }
      } catch (error) {
        return { error: reasonOf(error) }
      }
    },
    // What is under way is over within its time.
    close: () => pool.close(),
  }
}

const USER_AGENT = `wx-reminder/${programVersion()}`

/** A name without values: the message of an error may hold the URL, which may be a secret itself. */
function reasonOf(error: unknown): string {
  const { code, name } =
    error instanceof Error ? (error as Error & { code?: unknown }) : { code: '', name: '' }
  if (name === 'TimeoutError') return 'TIMEOUT'
  return (typeof code === 'string' && code !== '' ? code : name || 'ERROR').slice(0, MAX_ERROR)
}
