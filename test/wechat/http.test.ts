import { createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createWechatHttp, type WechatHttp, type WechatHttpOptions } from '../../src/wechat/http.js'
import {
  cutBeforeAnswer,
  cutInAnswer,
  hang,
  hangInBody,
  json,
  notHttp,
  redirect,
  refusedUrl,
  startWechatStub,
  text,
  trickle,
  type WechatStub,
} from '../helpers/wechat.js'

/** Short waits, only where nothing is to come: an answer may take longer than that on a busy machine. */
const IMPATIENT = { headersTimeoutMs: 100 }
const IMPATIENT_WITH_BODIES = { bodyTimeoutMs: 100 }

const SECRET = 'top-secret-token'
const call = { method: 'POST', path: `/cgi-bin/x?access_token=${SECRET}`, body: '{"touser":"某人"}' } as const

let stub: WechatStub
const open: WechatHttp[] = []

function httpTo(baseUrl: string, options: Partial<WechatHttpOptions> = {}): WechatHttp {
  const http = createWechatHttp({ baseUrl, connections: 4, ...options })
  open.push(http)
  return http
}

beforeEach(async () => {
  stub = await startWechatStub()
})

afterEach(async () => {
  await stub.close()
  await Promise.all(open.splice(0).map((http) => http.close()))
})

describe('a request', () => {
  test('goes out as raw UTF-8 JSON and brings status and text back', async () => {
    stub.next(json({ errcode: 0, errmsg: 'ok' }))
    expect(await httpTo(stub.url).request(call)).toEqual({
      kind: 'answered',
      status: 200,
      text: '{"errcode":0,"errmsg":"ok"}',
    })
    expect(stub.asked).toMatchObject([
      { method: 'POST', path: '/cgi-bin/x', body: '{"touser":"某人"}', json: { touser: '某人' } },
    ])
    expect(stub.asked[0]?.query.get('access_token')).toBe(SECRET)
    expect(stub.asked[0]?.headers['content-type']).toBe('application/json; charset=utf-8')
  })

  test('keeps a path that the base URL has', async () => {
    await httpTo(`${stub.url}/proxy/wx/`).request({ method: 'GET', path: '/cgi-bin/token' })
    expect(stub.asked).toMatchObject([{ method: 'GET', path: '/proxy/wx/cgi-bin/token', body: '' }])
  })

  test('uses a connection again, and never more of them than it may', async () => {
    const http = httpTo(stub.url, { connections: 3 })
    await Promise.all(Array.from({ length: 30 }, () => http.request(call)))
    expect(stub.asked).toHaveLength(30)
    expect(stub.connections).toBe(3)
  })

  test('puts together an answer that comes in pieces', async () => {
    const body = '{"errcode":0,"errmsg":"ok, 好"}'
    stub.next((response) => {
      const bytes = Buffer.from(body)
      response.write(bytes.subarray(0, bytes.length - 4))
      setImmediate(() => response.end(bytes.subarray(bytes.length - 4)))
    })
    expect(await httpTo(stub.url).request(call)).toEqual({ kind: 'answered', status: 200, text: body })
  })

  test('a request does not follow a redirect, which would carry the token elsewhere', async () => {
    const elsewhere = await startWechatStub()
    stub.next(redirect(`${elsewhere.url}/stolen`))
    expect(await httpTo(stub.url).request(call)).toMatchObject({ kind: 'answered', status: 302 })
    expect(elsewhere.asked).toHaveLength(0)
    await elsewhere.close()
  })
})

describe('certainly not sent', () => {
  test('a refused connection', async () => {
    expect(await httpTo(await refusedUrl()).request(call)).toEqual({
      kind: 'unreachable',
      reason: 'refused',
      detail: 'ECONNREFUSED',
    })
  })

  test('a host that has no address', async () => {
    const result = await httpTo('http://no-such-host.invalid').request(call)
    expect(result).toMatchObject({ kind: 'unreachable', reason: 'dns' })
  })

  test('a certificate that nobody trusts', async () => {
    const tls = await startWechatStub({ tls: true })
    expect(await httpTo(tls.url).request(call)).toEqual({
      kind: 'unreachable',
      reason: 'tls',
      detail: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    })
    expect(tls.asked).toHaveLength(0)
    await tls.close()
  })

  test('a handshake that never ends', async () => {
    const accepted: Socket[] = []
    const silent = createServer((socket) => void accepted.push(socket)).listen(0, '127.0.0.1')
    await new Promise((resolve) => silent.once('listening', resolve))
    const address = silent.address()
    const port = typeof address === 'object' ? address?.port : 0
    expect(await httpTo(`https://127.0.0.1:${port}`, { connectTimeoutMs: 50 }).request(call)).toMatchObject({
      kind: 'unreachable',
      reason: 'connect_timeout',
    })
    for (const socket of accepted) socket.destroy()
    silent.close()
  })

  test('a pool that was closed', async () => {
    const http = createWechatHttp({ baseUrl: stub.url, connections: 1 })
    await http.close()
    expect(await http.request(call)).toMatchObject({ kind: 'unreachable', reason: 'closed' })
  })

  test('a request given up before it began', async () => {
    const result = await httpTo(stub.url).request({ ...call, signal: AbortSignal.abort() })
    expect(result).toEqual({ kind: 'unreachable', reason: 'aborted' })
    expect(stub.asked).toHaveLength(0)
  })

  test('a request given up while it waits for a connection, also after the connection is free', async () => {
    const http = httpTo(stub.url, { connections: 1 })
    let release = () => {}
    stub.next((response) => {
      release = () => response.end('{}')
    })
    const first = http.request(call)
    await stub.arrived(1)
    const abort = new AbortController()
    const second = http.request({ ...call, signal: abort.signal })
    abort.abort()
    expect(await second).toEqual({ kind: 'unreachable', reason: 'aborted' })
    release()
    await first
    await http.request({ ...call, path: '/third' })
    expect(stub.asked.map((asked) => asked.path)).toEqual(['/cgi-bin/x', '/third'])
  })
})

describe('perhaps sent', () => {
  test.each([
    ['the line cut before the answer', cutBeforeAnswer, 'connection_lost', {}],
    ['the line cut in the answer', cutInAnswer, 'connection_lost', {}],
    ['no answer at all', hang, 'headers_timeout', IMPATIENT],
    ['an answer that stops', hangInBody, 'body_timeout', IMPATIENT_WITH_BODIES],
    ['an answer that is no HTTP', notHttp, 'unreadable', {}],
    ['an answer that is too large', text('x'.repeat(70_000)), 'answer_too_large', {}],
    [
      'an answer that trickles in',
      trickle(`{${' '.repeat(600)}}`, 20),
      'body_timeout',
      { headersTimeoutMs: 1_000, bodyTimeoutMs: 500 },
    ],
  ])('%s', async (_, behaviour, reason, options) => {
    stub.next(behaviour)
    expect(await httpTo(stub.url, options).request(call)).toMatchObject({ kind: 'ambiguous', reason })
    expect(stub.asked).toHaveLength(1)
  })

  test('an idle connection that the server closed under the request', async () => {
    const http = httpTo(stub.url, { connections: 1 })
    await http.request(call)
    stub.next(cutBeforeAnswer)
    expect(await http.request(call)).toMatchObject({ kind: 'ambiguous', reason: 'connection_lost' })
    expect(stub.asked.map((asked) => asked.connection)).toEqual([1, 1])
  })

  test('a request given up after it left', async () => {
    stub.next(hang)
    const abort = new AbortController()
    const result = httpTo(stub.url).request({ ...call, signal: abort.signal })
    await stub.arrived(1)
    abort.abort()
    expect(await result).toEqual({ kind: 'ambiguous', reason: 'aborted' })
  })

  test('all that share a signal and are under way are given up by it', async () => {
    const release: (() => void)[] = []
    stub.otherwise((response) => void release.push(() => response.end('{}')))
    const http = httpTo(stub.url)
    const controller = new AbortController()
    const results = [1, 2, 3, 4].map(() => http.request({ ...call, signal: controller.signal }))
    await stub.arrived(4)
    release[0]?.()
    await Promise.race(results)
    controller.abort()
    const outcomes = (await Promise.all(results)).map((result) =>
      result.kind === 'answered' ? 'answered' : result.reason,
    )
    expect(outcomes.sort()).toEqual(['aborted', 'aborted', 'aborted', 'answered'])
  })

  test('a request that was perhaps sent is never written a second time by the HTTP library', async () => {
    const http = httpTo(stub.url, { connections: 1, ...IMPATIENT })
    for (const behaviour of [cutBeforeAnswer, cutInAnswer, notHttp, hang]) {
      stub.next(behaviour)
      await http.request(call)
    }
    await http.request(call)
    expect(stub.asked).toHaveLength(5)
  })
})

test('an idle connection that the server has closed costs no request', async () => {
  const http = httpTo(stub.url, { connections: 1 })
  await http.request(call)
  stub.next((response) => {
    response.setHeader('connection', 'close')
    response.end('{}')
  })
  await http.request(call)
  expect(await http.request(call)).toMatchObject({ kind: 'answered' })
  expect(stub.connections).toBe(2)
})

test('no failure has the token in it', async () => {
  const results = []
  for (const behaviour of [cutBeforeAnswer, cutInAnswer, hang, notHttp]) {
    stub.next(behaviour)
    results.push(await httpTo(stub.url, behaviour === hang ? IMPATIENT : {}).request(call))
  }
  results.push(await httpTo(await refusedUrl()).request(call))
  results.push(await httpTo(stub.url).request({ ...call, path: `/with blank?access_token=${SECRET}` }))
  expect(results.map((result) => result.kind)).not.toContain('answered')
  expect(JSON.stringify(results)).not.toContain(SECRET)
})

test('hundreds of requests share one signal without a warning', async () => {
  const warned = vi.fn()
  process.on('warning', warned)
  const http = httpTo(stub.url)
  const { signal } = new AbortController()
  await Promise.all(Array.from({ length: 200 }, () => http.request({ ...call, signal })))
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', warned)
  expect(warned).not.toHaveBeenCalled()
})
