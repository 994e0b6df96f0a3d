import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { selfSigned } from './self-signed.js'

export interface Asked {
  method: string
  /** Path without the query. */
  path: string
  query: URLSearchParams
  headers: IncomingMessage['headers']
  body: string
  /** The body as JSON; undefined where there was none. */
  json: unknown
  /** Number of the connection it came over, from 1. */
  connection: number
}

/** How the stub treats one request, after it has read all of it. */
export type Behaviour = (response: ServerResponse, asked: Asked) => void

export const json =
  (body: unknown, status = 200): Behaviour =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))

export const text =
  (body: string, status = 200, contentType = 'text/html'): Behaviour =>
  (response) =>
    response.writeHead(status, { 'content-type': contentType }).end(body)

export const redirect =
  (to: string, status = 302): Behaviour =>
  (response) =>
    response.writeHead(status, { location: to }).end()

/** The request arrived; the line breaks before a byte of the answer. */
export const cutBeforeAnswer: Behaviour = (response) => response.socket?.destroy()

/** The line breaks in the middle of the answer. */
export const cutInAnswer: Behaviour = (response) => {
  response.writeHead(200, { 'content-length': '100' })
  response.write('{"errcode":', () => response.socket?.destroy())
}

export const hang: Behaviour = () => {}

/** Headers, then nothing. */
export const hangInBody: Behaviour = (response) => {
  response.writeHead(200, { 'content-length': '100' })
  response.write('{"errcode":')
}

export const notHttp: Behaviour = (response) => response.socket?.end('garbage\r\n\r\n')

/** One byte of a valid answer every `ms`, so that no timeout between bytes strikes. */
export const trickle =
  (body: string, ms: number): Behaviour =>
  (response) => {
    response.writeHead(200, { 'content-length': String(body.length) })
    let sent = 0
    const timer = setInterval(() => {
      response.write(body[sent++] ?? '')
      if (sent >= body.length) response.end()
    }, ms)
    response.on('close', () => clearInterval(timer))
  }

export interface WechatStub {
  url: string
  /** Everything it was asked, in order of arrival. */
  asked: Asked[]
  connections: number
  /** The next requests meet these, one each. */
  next(...behaviours: Behaviour[]): void
  /** All other requests meet this; at first `{"errcode":0,"errmsg":"ok"}`. */
  otherwise(behaviour: Behaviour): void
  /** Resolves when `count` requests have arrived in all. */
  arrived(count: number): Promise<void>
  close(): Promise<void>
}

/** A WeChat for the tests of the client: says what it is told to say, and knows no rule of WeChat's. */
export async function startWechatStub(options: { tls?: boolean } = {}): Promise<WechatStub> {
  const queue: Behaviour[] = []
  const sockets = new Map<Socket, number>()
  const waiting: { count: number; resolve: () => void }[] = []
  let fallback = json({ errcode: 0, errmsg: 'ok' })

  const stub: WechatStub = {
    url: '',
    asked: [],
    connections: 0,
    next: (...behaviours) => void queue.push(...behaviours),
    otherwise: (behaviour) => {
      fallback = behaviour
    },
    arrived: (count) =>
      new Promise((resolve) => {
        if (stub.asked.length >= count) resolve()
        else waiting.push({ count, resolve })
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets.keys()) socket.destroy()
      }),
  }

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const url = new URL(request.url ?? '/', 'http://stub')
    const body = Buffer.concat(chunks).toString('utf8')
    const asked: Asked = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body,
      json: body === '' ? undefined : JSON.parse(body),
      connection: sockets.get(request.socket) ?? 0,
    }
    stub.asked.push(asked)
    const behave = queue.shift() ?? fallback
    behave(response, asked)
    for (const waiter of waiting) if (stub.asked.length >= waiter.count) waiter.resolve()
  }

  const server = options.tls
    ? createHttpsServer(selfSigned, (request, response) => void handle(request, response))
    : createHttpServer((request, response) => void handle(request, response))
  server.on('connection', (socket: Socket) => {
    stub.connections++
    sockets.set(socket, stub.connections)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stub.url = `${options.tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`
  return stub
}

/** A URL on which nobody listens. */
export async function refusedUrl(): Promise<string> {
  const server = createTcpServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return `http://127.0.0.1:${port}`
}
