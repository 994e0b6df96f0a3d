import { setMaxListeners } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createLogger } from '../../src/lib/logger.js'
import { CREDIT_MS, createRate } from '../../src/messages/rate.js'
import { openSharedTurns, type SharedTurns } from '../../src/messages/shared-turns.js'
import { eventually } from '../helpers/eventually.js'
import { freePort } from '../helpers/private-server.js'
import { type RedisServer, startRedisServer } from '../helpers/redis-server.js'
import { timed } from '../helpers/stopwatch.js'
import { startTcpProxy } from '../helpers/tcp-proxy.js'
import { largestBurst, type Times, takeTurns } from '../helpers/turns.js'

// @module-tag redis

const RATE = 400
/** A slice comes as late as Redis' answer, which is waited for so long: the turns of that time may come together. */
const LATEST_ANSWER_MS = 500
/** From the loss and the return of Redis: one process may notice so much sooner than another. */
const NOT_TOGETHER_MS = 250

interface LogLine {
  event: string
  [field: string]: unknown
}

interface Process {
  times: Times
  shared: SharedTurns
  events(): string[]
  line(event: string): LogLine | undefined
}

let server: RedisServer
let appId: string
let count = 0
let stop: AbortController
let logged: string
let opened: Process[]
let taking: Promise<unknown>[]

beforeAll(async () => {
  server = await startRedisServer()
})
afterAll(() => server.stop())

beforeEach(() => {
  appId = `wx${++count}`
  stop = new AbortController()
  setMaxListeners(0, stop.signal)
  logged = ''
  opened = []
  taking = []
})

afterEach(async () => {
  stop.abort()
  await Promise.all(taking)
  for (const { shared } of opened) shared.close()
  for (const secret of [server.password, encodeURIComponent(server.password)])
    expect(logged).not.toContain(secret)
})

/** What one process has of the rate, with nothing but its connection in common with another. */
function open({ redisUrl = server.url, perSecond = RATE } = {}): Process {
  const lines: LogLine[] = []
  const write = (line: string): void => {
    logged += line
    lines.push(JSON.parse(line))
  }
  const log = createLogger({ level: 'debug', secrets: [], output: { write } })
  const process: Process = {
    times: [],
    shared: openSharedTurns({ redisUrl, appId, perSecond, log }),
    events: () => lines.map(({ event }) => event),
    line: (wanted) => lines.find(({ event }) => event === wanted),
  }
  opened.push(process)
  return process
}

function startSending(process: Process, { perSecond = RATE, takers = 32 } = {}): void {
  taking.push(takeTurns(createRate(perSecond, process.shared.take), process.times, stop.signal, takers))
}

const allTimes = (): Times => opened.flatMap(({ times }) => times)

function expectRateKept(slackMs: number): void {
  expect(largestBurst(allTimes(), RATE)).toBeLessThanOrEqual((RATE * (CREDIT_MS + slackMs)) / 1_000 + 1)
}

/** So many more turns, of all. Alone they take their time, so that nobody here has to sleep. */
async function moreTurns(turns: number, who = opened): Promise<void> {
  const taken = (): number => who.reduce((sum, { times }) => sum + times.length, 0)
  const before = taken()
  await eventually(`${turns} turns`, () => taken() >= before + turns)
}

async function stopSending(): Promise<void> {
  stop.abort()
  await Promise.all(taking)
}

async function askRedis<T>(ask: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(server.url)
  try {
    return await ask(redis)
  } finally {
    redis.disconnect()
  }
}

describe('with Redis', () => {
  test('processes send no more together than the rate, and each gets its part', async () => {
    for (let i = 0; i < 3; i++) startSending(open())
    await moreTurns(3 * RATE)
    await stopSending()
    expectRateKept(LATEST_ANSWER_MS)
    for (const { times, events } of opened) {
      expect(times.length).toBeGreaterThan(0.3 * RATE)
      expect(events()).toEqual([])
    }
  })

  test('a process alone has the whole rate', async () => {
    startSending(open())
    const { ms } = await timed(() => moreTurns(1.5 * RATE))
    expect(ms).toBeLessThan(4_000)
    await stopSending()
    expectRateKept(LATEST_ANSWER_MS)
  })

  test('a request to Redis is for many messages', async () => {
    const requests = (): Promise<number> =>
      askRedis(async (redis) => {
        const calls = /cmdstat_eval:calls=(\d+)/.exec(await redis.info('commandstats'))
        return Number(calls?.[1] ?? 0)
      })
    const before = await requests()
    startSending(open())
    await moreTurns(RATE)
    await stopSending()
    expect((await requests()) - before).toBeLessThan(allTimes().length / 10)
  })

  test('accounts do not share their rates', async () => {
    for (let i = 0; i < 4; i++) {
      startSending(open())
      appId = `wx${++count}`
    }
    const { ms } = await timed(() => moreTurns(4 * RATE))
    expect(ms).toBeLessThan(3_000)
  })

  test('a clock of Redis that was set back by a day stops nobody', async () => {
    const tomorrow = (Date.now() + 24 * 60 * 60 * 1_000) * 1_000
    await askRedis((redis) => redis.set(`reminder:{${appId}}:next-turn`, String(tomorrow)))
    startSending(open())
    await moreTurns(RATE)
    await stopSending()
    expectRateKept(LATEST_ANSWER_MS)
  })

  test('nothing of an account stays in Redis once nobody sends for it', async () => {
    const process = open()
    await process.shared.take(1)
    process.shared.close()
    await askRedis(async (redis) => {
      const keys = await redis.keys(`reminder:{${appId}}:*`)
      // -1 would be a key that stays, -2 is one that is gone by now.
      for (const key of keys) expect(await redis.pttl(key)).not.toBe(-1)
      expect(keys.length).toBeGreaterThan(0)
    })
  })

  test('a process that is told to stop does not wait for its turn', async () => {
    const process = open({ perSecond: 0.01 })
    startSending(process, { perSecond: 0.01, takers: 50 })
    await moreTurns(1)
    expect((await timed(stopSending)).ms).toBeLessThan(1_000)
  })
})

describe('when Redis goes away', () => {
  afterEach(() => server.restart())

  test('processes go on with their shares, say so once, and share again when it is back', async () => {
    const processes = [open(), open()]
    for (const process of processes) startSending(process)
    await moreTurns(0.5 * RATE)
    await server.kill()
    await eventually('both know', () => processes.every(({ events }) => events().length === 1))
    await moreTurns(1.5 * RATE)
    await server.restart()
    await eventually('both are back', () => processes.every(({ events }) => events().length === 2))
    await moreTurns(1.5 * RATE)
    await stopSending()
    expectRateKept(LATEST_ANSWER_MS + NOT_TOGETHER_MS)
    for (const { events, line } of processes) {
      expect(events()).toEqual(['rate.redis_lost', 'rate.redis_back'])
      expect(line('rate.redis_lost')).toMatchObject({ app_id: appId, processes: 2, per_second: RATE / 2 })
    }
  })

  test('a process that hangs with it goes on after half a second', async () => {
    const process = open()
    startSending(process)
    await moreTurns(0.2 * RATE)
    server.pause()
    const { ms } = await timed(() => eventually('it knows', () => process.events().length === 1))
    expect(ms).toBeLessThan(4_000)
    await moreTurns(RATE)
    server.resume()
    await eventually('it is back', () => process.events().length === 2)
    await moreTurns(RATE)
    await stopSending()
    expectRateKept(LATEST_ANSWER_MS + NOT_TOGETHER_MS)
    expect(process.line('rate.redis_lost')).toMatchObject({ reason: 'Command timed out', processes: 1 })
  })

  test('a connection that hangs is given up for a new one', async () => {
    const line = await startTcpProxy(server.url)
    try {
      const process = open({ redisUrl: line.url })
      await process.shared.take(1)
      line.hang()
      startSending(process)
      await eventually('it is back', () => process.events().length === 2)
      expect(process.events()).toEqual(['rate.redis_lost', 'rate.redis_back'])
    } finally {
      await line.close()
    }
  })

  test('a process that sends nothing at the time notices too that Redis has gone away', async () => {
    const process = open()
    await process.shared.take(1)
    await server.kill()
    await eventually('it knows', () => process.events().length === 1)
  })
})

describe('without Redis from the start', () => {
  afterEach(() => server.restart())

  test('a process begins with a quarter of the rate, and shares when Redis comes', async () => {
    await server.kill()
    const process = open()
    startSending(process)
    expect((await timed(() => moreTurns(1))).ms).toBeLessThan(3_000)
    await moreTurns(0.4 * RATE)
    expect(largestBurst(process.times, RATE / 4)).toBeLessThanOrEqual(
      ((RATE / 4) * (CREDIT_MS + NOT_TOGETHER_MS)) / 1_000 + 1,
    )
    expect(process.line('rate.redis_lost')).toMatchObject({ per_second: RATE / 4 })
    await server.restart()
    await eventually('it is back', () => process.events().length === 2)
    await moreTurns(RATE)
    await stopSending()
    expectRateKept(LATEST_ANSWER_MS)
  })

  test('a wrong password is told as a reason, without the password', async () => {
    const process = open({ redisUrl: server.url.replace(':p', ':wrong-Passw0rd-p') })
    startSending(process)
    await moreTurns(1)
    expect(process.line('rate.redis_lost')?.reason).toMatch(/WRONGPASS/)
    expect(logged).not.toContain('wrong-Passw0rd')
  })
})

describe('with a Redis that takes connections and never answers', () => {
  const sockets = new Set<Socket>()
  let connections = 0
  let received = 0
  let port: number
  const silent = createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.on('data', (data) => {
      received += data.length
    })
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })

  beforeAll(async () => {
    port = await freePort()
    await new Promise<void>((resolve) => silent.listen(port, '127.0.0.1', resolve))
  })
  afterAll(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => silent.close(resolve))
  })

  test('a process begins soon, tries again on one connection at a time, and asks for little', async () => {
    const process = open({ redisUrl: `redis://:${encodeURIComponent(server.password)}@127.0.0.1:${port}` })
    startSending(process)
    expect((await timed(() => moreTurns(1))).ms).toBeLessThan(4_000)
    await eventually('another try', () => connections >= 3)
    expect(sockets.size).toBeLessThanOrEqual(2)
    expect(received / connections).toBeLessThan(500)
    expect(process.events()).toEqual(['rate.redis_lost'])
    await stopSending()
    process.shared.close()
    await eventually('no connection is left', () => sockets.size === 0)
    expect(process.events()).toEqual(['rate.redis_lost'])
  })
})
