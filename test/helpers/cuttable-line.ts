import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export interface CuttableLine {
  /** The given URL, leading over this line. */
  url: string
  /** Breaks every connection and refuses new ones, as a database that died does. */
  cut(): Promise<void>
  restore(): Promise<void>
  close(): Promise<void>
}

/** A line to a server on loopback that can be cut, without harm to others who use that server. */
export async function startCuttableLine(serverUrl: string): Promise<CuttableLine> {
  const target = new URL(serverUrl)
  const sockets = new Set<Socket>()
  let port = 0
  let server: Server | undefined

  function join(client: Socket): void {
    const upstream = connect(Number(target.port), target.hostname)
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.pipe(to)
      from.on('error', () => to.destroy())
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  }

  async function listen(): Promise<void> {
    server = createServer(join)
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  }

  async function cut(): Promise<void> {
    const closing = server
    server = undefined
    if (!closing) return
    const closed = once(closing, 'close')
    closing.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }

  await listen()
  const through = new URL(serverUrl)
  through.port = String(port)
  return { url: through.href, cut, restore: listen, close: cut }
}
