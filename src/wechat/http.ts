import { type Dispatcher, Pool } from 'undici'
import { type Ambiguous, ambiguousAfter, type Unreachable, unreachableBecause } from './failure.js'

/**
 * A TCP and TLS handshake takes well under a second from anywhere; a lost packet is resent after one more
 * second.
 */
const CONNECT_TIMEOUT_MS = 3_000
/** WeChat answers in some 50 to 300 ms; after this the answer is as good as lost, and a slot has stood idle long enough. */
const HEADERS_TIMEOUT_MS = 10_000
const BODY_TIMEOUT_MS = 10_000
/** The largest answer we ask for, a template list, is a few KiB. */
const MAX_ANSWER_BYTES = 64 * 1024
/** Shorter than the idle timeout of common gateways, so that it is mostly us who close an idle connection. */
const KEEP_ALIVE_MS = 4_000

export interface WechatHttpOptions {
  /** Scheme, host, port and perhaps a path before WeChat's own, such as `https://api.weixin.qq.com`. */
  baseUrl: string
  /** Open connections at most: one for each request that may be under way at once. */
  connections: number
  connectTimeoutMs?: number
  headersTimeoutMs?: number
  bodyTimeoutMs?: number
  maxAnswerBytes?: number
  keepAliveMs?: number
  /** Is told of each request that has ended. */
  onEnd?: ObserveRequest
}

/** What is told of a request: its path without the query, which holds the token, and the kind of its result. */
export type ObserveRequest = (path: string, kind: HttpResult['kind'], seconds: number) => void

export interface WechatHttpCall {
  method: 'GET' | 'POST'
  /** Path and query below the base URL. The query holds the access token: it goes into no result and no log. */
  path: string
  /** JSON, raw UTF-8. */
  body?: string | undefined
  signal?: AbortSignal | undefined
}

/** What became of one request. Never an exception: every result says whether a message may have been sent. */
export type HttpResult = { kind: 'answered'; status: number; text: string } | Unreachable | Ambiguous

export interface WechatHttp {
  /** Scheme, host and port, for messages. */
  origin: string
  request(call: WechatHttpCall): Promise<HttpResult>
  /** Waits for what is under way, then closes the connections. */
  close(): Promise<void>
}

/**
 * Requests over one pool of keep-alive connections. Pipelining stays at 1: if a connection broke, a POST
 * behind another one would be lost with it, its effect unknown. Redirects are not followed: they would carry
 * the token to wherever they point.
 */
export function createWechatHttp(options: WechatHttpOptions): WechatHttp {
  const url = new URL(options.baseUrl)
  const prefix = url.pathname.replace(/\/+$/, '')
  const headersTimeout = options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS
  const bodyTimeout = options.bodyTimeoutMs ?? BODY_TIMEOUT_MS
  const groups = new Groups()
  const { onEnd } = options
  const pool = new Pool(url.origin, {
    connections: options.connections,
    pipelining: 1,
    allowH2: false,
    connect: { timeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS },
    headersTimeout,
    bodyTimeout,
    maxResponseSize: options.maxAnswerBytes ?? MAX_ANSWER_BYTES,
    keepAliveTimeout: options.keepAliveMs ?? KEEP_ALIVE_MS,
  })
  return {
    origin: url.origin,
    request: ({ method, path, body, signal }) =>
      new Promise((resolve) => {
        if (signal?.aborted) {
          resolve(unreachableBecause('aborted'))
          return
        }
        const settle = onEnd ? observed(resolve, path, onEnd) : resolve
        const exchange = new PendingRequest(settle, headersTimeout + bodyTimeout, groups.of(signal))
        pool.dispatch(
          {
            method,
            path: prefix + path,
            body: body ?? null,
            headers: body === undefined ? ACCEPT : JSON_BODY,
          },
          exchange,
        )
      }),
    close: () => pool.close(),
  }
}

function observed(
  resolve: (result: HttpResult) => void,
  path: string,
  onEnd: ObserveRequest,
): (result: HttpResult) => void {
  const began = performance.now()
  return (result) => {
    resolve(result)
    const end = path.indexOf('?')
    onEnd(end < 0 ? path : path.slice(0, end), result.kind, (performance.now() - began) / 1_000)
  }
}

const ACCEPT = ['accept', 'application/json']
const JSON_BODY = [...ACCEPT, 'content-type', 'application/json; charset=utf-8']

/**
 * One request and its answer. undici calls `onRequestStart` immediately before the first byte is handed to
 * the socket (`writeH1` in its client-h1.js): if it fails before that call, the request was certainly not
 * sent; after it, it may have been. The kind of the error does not tell: a broken connection looks the same
 * before and after.
 */
class PendingRequest implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | undefined
  private deadline = Number.POSITIVE_INFINITY
  private status = 0
  private first: Buffer | undefined
  private more: Buffer[] | undefined
  private settled = false
  private readonly resolve: (result: HttpResult) => void
  private readonly totalMs: number
  /** Its place in the group, kept by the group. */
  place = -1
  private readonly group: Group | undefined

  constructor(resolve: (result: HttpResult) => void, totalMs: number, group: Group | undefined) {
    this.resolve = resolve
    this.totalMs = totalMs
    this.group = group
    group?.join(this)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Given up while it waited for a connection, or about to be written a second time: neither may reach the
    // connection.
    if (this.settled || this.controller !== undefined) {
      controller.abort(new Error('not sent'))
      return
    }
    this.controller = controller
    this.deadline = performance.now() + this.totalMs
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    this.status = status
    this.checkDeadline(controller)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.first === undefined) this.first = chunk
    else if (this.more === undefined) this.more = [this.first, chunk]
    else this.more.push(chunk)
    this.checkDeadline(controller)
  }

  onResponseEnd(): void {
    const bytes = this.more === undefined ? this.first : Buffer.concat(this.more)
    this.settle({ kind: 'answered', status: this.status, text: bytes?.toString('utf8') ?? '' })
  }

  onResponseError(_: unknown, error: Error): void {
    this.settle(this.controller === undefined ? unreachableBecause(error) : ambiguousAfter(error))
  }

  /**
   * undici's timeouts start anew with every byte, so an answer that trickles in would hold its slot for days.
   */
  private checkDeadline(controller: Dispatcher.DispatchController): void {
    if (performance.now() < this.deadline) return
    this.settle(ambiguousAfter('body_timeout'))
    controller.abort(new Error('too slow'))
  }

  giveUp(): void {
    this.settle(this.controller === undefined ? unreachableBecause('aborted') : ambiguousAfter('aborted'))
    this.controller?.abort(new Error('aborted'))
  }

  private settle(result: HttpResult): void {
    if (this.settled) return
    this.settled = true
    this.group?.leave(this)
    this.resolve(result)
  }
}

/**
 * The requests that one signal aborts, under one listener: Node warns of a leak at eleven listeners. Each
 * request knows its place, so that joining and leaving need no hashing.
 */
class Group {
  private readonly members: PendingRequest[] = []

  join(exchange: PendingRequest): void {
    exchange.place = this.members.push(exchange) - 1
  }

  leave(exchange: PendingRequest): void {
    const last = this.members.pop()
    if (last === undefined || last === exchange) return
    this.members[exchange.place] = last
    last.place = exchange.place
  }

  giveUp(): void {
    for (const exchange of [...this.members]) exchange.giveUp()
  }
}

class Groups {
  private readonly bySignal = new WeakMap<AbortSignal, Group>()

  of(signal: AbortSignal | undefined): Group | undefined {
    if (signal === undefined) return undefined
    const known = this.bySignal.get(signal)
    if (known !== undefined) return known
    const group = new Group()
    this.bySignal.set(signal, group)
    signal.addEventListener('abort', () => group.giveUp(), { once: true })
    return group
  }
}
