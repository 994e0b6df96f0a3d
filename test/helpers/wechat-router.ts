import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One address in front of several WeChats, each for one account: a service knows only one. */
export interface WechatRouter {
  url: string
  /** From now on calls for this account are taken and never answered. */
  hang(appId: string): void
  /** How many calls for an account have come. */
  calls(appId: string): number
  close(): Promise<void>
}

/** A call names its account by appid, or by the access token that a call before it was answered with. */
export async function startWechatRouter(targets: Record<string, string>): Promise<WechatRouter> {
  const owners = new Map<string, string>()
  const hanging = new Set<string>()
  const calls = new Map<string, number>()

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await read(request)
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://wechat')
    const appId = ownerOf(searchParams, body)
    calls.set(appId, (calls.get(appId) ?? 0) + 1)
    if (hanging.has(appId)) return
    const answered = await fetch(`${targets[appId]}${pathname}?${searchParams}`, {
      method: request.method ?? 'GET',
      headers: { 'content-type': 'application/json' },
      ...(body === '' ? {} : { body }),
    })
    const text = await answered.text()
    const token = /"access_token":"([^"]+)"/.exec(text)?.[1]
    if (token !== undefined) owners.set(token, appId)
    response.writeHead(answered.status, { 'content-type': 'application/json' }).end(text)
  }

  function ownerOf(query: URLSearchParams, body: string): string {
    const named = query.get('appid') ?? /"appid":"([^"]+)"/.exec(body)?.[1]
    return named ?? owners.get(query.get('access_token') ?? '') ?? ''
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.socket?.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hang: (appId) => void hanging.add(appId),
    calls: (appId) => calls.get(appId) ?? 0,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
