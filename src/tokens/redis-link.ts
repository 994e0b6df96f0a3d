import type { Logger } from '../lib/logger.js'
import { messageOf } from '../lib/message-of.js'
import { openRedis, WITHOUT_WAITING } from '../lib/redis.js'
import { createRedisCopy } from './redis-copy.js'
import type { AskRedis } from './redis-store.js'

export interface RedisLink {
  ask: AskRedis
  /** Closes at once, whatever Redis is doing. */
  close(): void
}

/** How long the first question waits for the first connection: a process that starts would fetch a token needlessly. */
const OPENING_MS = 1_000

/** Connects at once, and keeps trying while there is no connection. Says so in the log when Redis is lost, and back. */
export function openRedisLink(options: {
  redisUrl: string
  appId: string
  log: Pick<Logger, 'info' | 'warn'>
}): RedisLink {
  const { appId, log } = options
  const redis = openRedis(options.redisUrl, WITHOUT_WAITING)
  const copy = createRedisCopy(redis, appId)
  let state: 'opening' | 'open' | 'lost' | 'closed' = 'opening'
  let opened = (): void => {}
  const opening = new Promise<void>((resolve) => {
    opened = resolve
    setTimeout(resolve, OPENING_MS).unref()
  })

  function find(): void {
    if (state === 'lost') log.info({ event: 'token.redis_back', app_id: appId })
    if (state !== 'closed') state = 'open'
    opened()
  }

  /** Logs only the message: ioredis attaches the command to the error, and with it the token or the password. */
  function lose(error: unknown): void {
    // Otherwise we would wait for late answers, or keep asking a server that cannot write.
    if (redis.status === 'ready') redis.disconnect(true)
    if (state === 'opening' || state === 'open') {
      log.warn(
        { event: 'token.redis_lost', app_id: appId, reason: messageOf(error) },
        'going on with the token in the table until Redis answers again',
      )
      state = 'lost'
    }
    opened()
  }

  redis.on('ready', find)
  redis.on('error', lose)
  redis.on('close', () => lose(new Error('the connection was closed')))

  return {
    async ask(question) {
      if (state === 'opening') await opening
      if (state !== 'open' || redis.status !== 'ready') return undefined
      try {
        return await question(copy)
      } catch (error) {
        lose(error)
        return undefined
      }
    },
    close() {
      state = 'closed'
      redis.disconnect()
      opened()
    },
  }
}
