import { randomUUID } from 'node:crypto'
import { SECOND_MS } from '../lib/durations.js'
import type { Logger } from '../lib/logger.js'
import { messageOf } from '../lib/message-of.js'
import { openRedis, WITHOUT_WAITING } from '../lib/redis.js'
import { CREDIT_MS, createLocalTurns, SLICE_MS, type TakeTurns, type Turns } from './rate.js'

/** The rate of an account, shared out by Redis among the processes that send for it. */
export interface SharedTurns {
  take: TakeTurns
  /** Closes at once, whatever Redis is doing. */
  close(): void
}

/** How often a process reports that it is alive, sending or not, and checks that Redis is. */
const BEAT_MS = 3 * SECOND_MS
const FORGOTTEN_AFTER_MS = 10 * SECOND_MS
/** Assumed until Redis has first reported how many there are. */
const ASSUMED_PROCESSES = 4
/**
 * This many processes may each have a slice ahead of ours. A next turn later than that means that a clock was set
 * back.
 */
const MOST_PROCESSES = 1_000

/**
 * The same token bucket as in rate.ts, on Redis' clock, so that the clocks of the machines do not matter. It keeps
 * only the time of the next free turn. Taking turns moves that time on, so turns are never given twice, do not pile
 * up at the start of a window as a counter's would, and nobody is refused and has to ask again. A counter of whole
 * seconds, which is what limiter libraries keep in Redis, would let all processes send their part of a second at its
 * start.
 * Times are in whole microseconds, which a double holds exactly.
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
 * Connects at once, and keeps trying while there is no connection. Meanwhile this process goes on with its share, the
 * rate divided by the number of processes, so that all together keep to the rate.
 */
export function openSharedTurns(options: {
  redisUrl: string
  appId: string
  perSecond: number
  log: Logger
}): SharedTurns {
  const { appId, perSecond, log } = options
  const intervalMs = SECOND_MS / perSecond
  // While some processes are back and use the whole rate, the others add their share: all come back together.
  const redis = openRedis(options.redisUrl, WITHOUT_WAITING)
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

  /**
   * Logs only the error's message: ioredis attaches the command to the error, and for AUTH that includes the
   * password.
   */
  function lose(error: unknown): void {
    // Otherwise we would wait for late answers, or keep asking a server that cannot write.
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
      'going on with a share of SEND_RATE until Redis answers again',
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
