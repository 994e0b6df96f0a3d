import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { SECOND_MS } from '../lib/durations.js'
import type { Logger } from '../lib/logger.js'
import { messageOf } from '../lib/message-of.js'
import { CREDIT_MS, createLocalTurns, SLICE_MS, type TakeTurns, type Turns } from './rate.js'

/** The rate of an account, shared out by Redis among the processes that send for it. */
export interface SharedTurns {
  take: TakeTurns
  /** At once, whatever Redis is doing. */
  close(): void
}

/** A request waits no longer for Redis: the messages behind it wait too. */
const COMMAND_TIMEOUT_MS = 500
const CONNECT_TIMEOUT_MS = 2 * SECOND_MS
/** Short, so that all processes come back at about the same time: while some are, and take all of the rate, the others add their share. */
const RECONNECT_MS = 200
/** How often a process says that it is there, sending or not, and notices that Redis is not. */
const BEAT_MS = 3 * SECOND_MS
const FORGOTTEN_AFTER_MS = 10 * SECOND_MS
/** Until Redis has told once how many there are. */
const ASSUMED_PROCESSES = 4
/** What so many processes may have ahead of them. A next turn later than that comes from a clock that was set back. */
const MOST_PROCESSES = 1_000

/**
 * The same token bucket as in rate.ts, with Redis' clock, so that clocks of machines do not matter. It keeps the time of
 * the next free turn and nothing else: taking moves it on, so turns are never given twice, nor lie in a heap at the start
 * of a window as those of a counter would, and nobody is refused and asks again. A counter of whole seconds, which is what
 * limiter libraries keep in Redis, would let all processes send their part of a second at its start.
 * Times in whole microseconds, which a double holds exactly.
 */
const TAKE = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local count, interval, credit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local latest, process, forgotten = now + tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])

redis.call('ZADD', KEYS[2], now, process)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - forgotten)
redis.call('PEXPIRE', KEYS[2], forgotten / 1000)
local processes = redis.call('ZCARD', KEYS[2])
if count == 0 then return { 0, processes } end

local free = tonumber(redis.call('GET', KEYS[1]) or 0)
if free > latest then free = 0 end
local at = math.max(free, now - credit)
local nextFree = at + math.ceil(count * interval)
redis.call('SET', KEYS[1], string.format('%.0f', nextFree), 'PX', math.ceil((nextFree - now + credit) / 1000))
return { at - now, processes }
`

/**
 * Connects at once, and again and again while there is no connection. Meanwhile this process goes on with its share of
 * the rate: one part of as many as there are processes, so that all together keep it.
 */
export function openSharedTurns(options: {
  redisUrl: string
  appId: string
  perSecond: number
  log: Logger
}): SharedTurns {
  const { appId, perSecond, log } = options
  const intervalMs = SECOND_MS / perSecond
  const redis = new Redis(options.redisUrl, {
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // A peer that hangs does not answer a goodbye either.
    disconnectTimeout: 0,
    retryStrategy: () => RECONNECT_MS,
    // What could not be asked now is of no use later: nothing is queued, and nothing sent twice.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    disableClientInfo: true,
  })
  const takeLocal = createLocalTurns(intervalMs)
  const keys = ['next-turn', 'processes'].map((name) => `reminder:{${appId}}:${name}`)
  const fixed = [
    intervalMs * 1_000,
    CREDIT_MS * 1_000,
    MOST_PROCESSES * Math.max(SLICE_MS, intervalMs) * 1_000,
    randomUUID(),
    FORGOTTEN_AFTER_MS * 1_000,
  ]
  let processes = ASSUMED_PROCESSES
  let state: 'opening' | 'shared' | 'lost' | 'closed' = 'opening'
  let opened = (): void => {}
  const opening = new Promise<void>((resolve) => {
    opened = resolve
  })

  async function ask(count: number): Promise<Turns> {
    const answer = await redis.eval(TAKE, keys.length, ...keys, count, ...fixed)
    const [waitMicros, known] = answer as [number, number]
    processes = known
    return { at: performance.now() + waitMicros / 1_000, count, intervalMs }
  }

  async function beat(): Promise<void> {
    if (redis.status !== 'ready') return
    try {
      await ask(0)
      found()
    } catch (error) {
      lose(error)
    }
  }

  function found(): void {
    if (state === 'closed' || state === 'shared') return
    if (state === 'lost')
      log.info({ event: 'rate.redis_back', app_id: appId, processes, per_second: perSecond })
    state = 'shared'
    opened()
  }

  /** Only the message of an error is logged: ioredis hangs the command on it, and with AUTH the password. */
  function lose(error: unknown): void {
    // Else late answers would be waited for, or a server asked again that cannot write.
    if (redis.status === 'ready') redis.disconnect(true)
    if (state === 'closed' || state === 'lost') return
    state = 'lost'
    log.warn(
      {
        event: 'rate.redis_lost',
        app_id: appId,
        reason: messageOf(error),
        processes,
        per_second: perSecond / processes,
      },
      'going on with a share of SEND_RATE, until Redis answers again',
    )
    opened()
  }

  redis.on('ready', beat)
  redis.on('error', lose)
  redis.on('close', () => lose(new Error('the connection was closed')))
  const timer = setInterval(beat, BEAT_MS)
  timer.unref()

  return {
    async take(count) {
      await opening
      if (state === 'shared') {
        try {
          return await ask(count)
        } catch (error) {
          lose(error)
        }
      }
      return takeLocal(count, processes)
    },
    close() {
      state = 'closed'
      clearInterval(timer)
      redis.disconnect()
      opened()
    },
  }
}
