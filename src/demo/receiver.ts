import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { signedHeaders } from '../webhooks/signature.js'

/** The backend's side of the webhook: takes the events that are signed with its secret, and shows them to GET. */
export interface Receiver {
  url: string
  close(): Promise<void>
}

/** More than a demo makes. The oldest are dropped. */
const KEPT = 1_000

export async function startReceiver(secret: string): Promise<Receiver> {
  const events: unknown[] = []
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      response.setHeader('content-type', 'application/json; charset=utf-8')
      response.end(JSON.stringify(events, null, 2))
      return
    }
    readEvent(request, secret).then(
      (event) => {
        if (event !== undefined) events.push(event)
        events.splice(0, events.length - KEPT)
        response.writeHead(event === undefined ? 401 : 204).end()
      },
      () => response.destroy(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/events`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** The event of a request; undefined if it is not signed by the service. */
async function readEvent(request: IncomingMessage, secret: string): Promise<unknown> {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = request.headers
  const body = await text(request)
  const signed = signedHeaders([secret], { id: String(id), timestamp: Number(timestamp), body })
  return signed['webhook-signature'] === signature ? JSON.parse(body) : undefined
}
