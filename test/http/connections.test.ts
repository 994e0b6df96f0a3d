import { afterEach, describe, expect, test } from 'vitest'
import { CONNECTION_LIMITS, type ConnectionLimits } from '../../src/http/connections.js'
import { openSocket, readAnswer } from '../helpers/raw-socket.js'
import { API_KEY, startTestService, type TestService, useService } from '../helpers/service.js'

const HEAD = 'POST /v1/sign-ins HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
const AUTHORIZED = `${HEAD}Authorization: Bearer ${API_KEY}\r\n`
const failure = (code: string) => ({ error: { code, message: expect.stringMatching(/.{10,}/) } })

describe('a service whose callers are slow', () => {
  let service: TestService
  afterEach(() => service.close())
  const start = async (connections: Partial<ConnectionLimits>) => {
    service = await startTestService('sqlite', { connections: { checkMs: 20, ...connections } })
    return service.url
  }

  test('closes a connection that says nothing', async () => {
    const { closed } = await openSocket(await start({ headersMs: 200 }))
    await closed
  })

  test('answers 408 to headers that do not end', async () => {
    const { closed } = await openSocket(await start({ headersMs: 200 }), HEAD)
    expect(readAnswer(await closed)).toMatchObject({ status: 408, body: failure('request_timeout') })
  })

  test('answers 408 to a body that does not end', async () => {
    const url = await start({ headersMs: 200, requestMs: 400 })
    const { closed } = await openSocket(url, `${AUTHORIZED}Content-Length: 100\r\n\r\n{"user_id":`)
    expect(readAnswer(await closed)).toMatchObject({ status: 408, body: failure('request_timeout') })
  })

  test('closes the connection of a stranger whose body does not end, answered as it is', async () => {
    // Time enough to be answered 401: without an answer it would be 408.
    const url = await start({ headersMs: 2_000, requestMs: 2_000 })
    const { closed } = await openSocket(url, `${HEAD}Content-Length: 1000000000\r\n\r\n{`)
    expect(await closed).toMatch(/^HTTP\/1\.1 401 /)
  })

  test('closes a connection that is idle after an answer', async () => {
    const url = await start({ keepAliveMs: 200 })
    const { closed } = await openSocket(url, 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(await closed).toMatch(/^HTTP\/1\.1 200 /)
  })

  test('takes so many connections at once, and more when some have gone', async () => {
    const url = await start({ connections: 2 })
    const first = await openSocket(url)
    const second = await openSocket(url)
    const third = await openSocket(url, 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(await third.closed).toBe('')
    first.socket.destroy()
    for (;;) {
      const next = await openSocket(url, 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
      if ((await next.closed).startsWith('HTTP/1.1 200 ')) break
    }
    // A stop waits ten seconds for whoever may still be asking something.
    second.socket.destroy()
  })
})

test('by default nothing waits for ever', async () => {
  const { app, close } = await startTestService('sqlite')
  const { server } = app
  expect(server).toMatchObject({
    headersTimeout: CONNECTION_LIMITS.headersMs,
    requestTimeout: CONNECTION_LIMITS.requestMs,
    keepAliveTimeout: CONNECTION_LIMITS.keepAliveMs,
    timeout: CONNECTION_LIMITS.silenceMs,
    maxConnections: CONNECTION_LIMITS.connections,
  })
  await close()
})

describe('bytes that are no request', () => {
  const service = useService('sqlite')

  test.each([
    ['no HTTP at all', 'hello\r\n\r\n', 400, 'malformed_request'],
    [
      'a header that is too long',
      `GET /healthz HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
      431,
      'headers_too_large',
    ],
    [
      'two lengths',
      'POST /v1/form-ids HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}',
      400,
      'malformed_request',
    ],
    [
      'a length that is no number',
      'POST /v1/form-ids HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n',
      400,
      'malformed_request',
    ],
  ])('are answered in the one shape: %s', async (_, bytes, status, code) => {
    const { closed } = await openSocket(service.url, bytes)
    const answer = readAnswer(await closed)
    expect(answer).toMatchObject({ status, body: failure(code) })
    expect(answer.headers).toMatch(/\r\nX-Content-Type-Options: nosniff/)
  })
})
