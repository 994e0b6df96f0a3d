import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A line to a database or to Redis that a test can cut. */
export interface TcpProxy {
  /** The same server through this line. */
  url: string
  /** Cuts all connections once a client sends this text, before the server gets it, and refuses new ones. */
  cutAt(text: string): void
  /** The same, but the server gets it: only its answer is lost. */
  cutAfter(text: string): void
  /** Cuts all connections, and refuses new ones. */
  cut(): void
  /** Connections of now carry nothing more and stay open, as when a machine vanishes. New ones work. */
  hang(): void
  /** Lets connections through again. */
  mend(): void
  close(): Promise<void>
}

export async function startTcpProxy(databaseUrl: string): Promise<TcpProxy> {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  let isCut = false
  let trigger: { text: string; reachesServer: boolean } | undefined

  const cut = () => {
    isCut = true
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer((client) => {
    if (isCut) return client.destroy()
    const upstream = connect(Number(target.port), target.hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (data) => {
      if (trigger === undefined || !data.includes(trigger.text)) return upstream.write(data)
      if (!trigger.reachesServer) return cut()
      // The first byte of an answer says that the server is done.
      upstream.unpipe(client).once('data', cut).resume()
      upstream.write(data)
    })
    upstream.pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(databaseUrl)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    cut,
    hang: () => {
      for (const socket of sockets) socket.unpipe().removeAllListeners('data').resume()
    },
    cutAt: (text) => {
      trigger = { text, reachesServer: false }
    },
    cutAfter: (text) => {
      trigger = { text, reachesServer: true }
    },
    mend: () => {
      trigger = undefined
      isCut = false
    },
    close: async () => {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
