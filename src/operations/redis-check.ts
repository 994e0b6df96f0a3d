import { openRedis } from '../lib/redis.js'
import type { Finding } from './finding.js'

const TIMEOUT_MS = 2_000
/** What is needed from Redis: a script, and its clock. */
const PROBE = "return redis.call('TIME')"
/** Refusals that waiting does not fix: wrong or missing password, a user who may not run scripts. */
const NOT_ALLOWED = /^(WRONGPASS|NOAUTH|NOPERM|ERR invalid password)/

/**
 * Whether processes can share the access token and SEND_RATE through this Redis. Without it they share the token in the
 * table, and each goes on with its share of the rate.
 */
export async function examineRedis(redisUrl: string, sendRate: number | undefined): Promise<Finding> {
  const name = 'redis'
  const started = performance.now()
  try {
    await probe(redisUrl)
  } catch (error) {
    const { code, message } = error as Error & { code?: string }
    return NOT_ALLOWED.test(message)
      ? {
          name,
          status: 'fail',
          reason: `refuses this service: ${message.split(' ')[0]}`,
          fix: 'Check user and password in REDIS_URL, and that the user may run scripts (EVAL).',
        }
      : {
          name,
          status: 'warn',
          reason: `cannot be reached: ${code ?? 'no answer'}; the token is shared in the table, and each process goes on with its share of SEND_RATE`,
          fix: 'Check REDIS_URL and that Redis is running.',
        }
  }
  const ms = Math.round(performance.now() - started)
  const shared =
    sendRate === undefined ? 'the access token' : `the access token and ${sendRate} messages a second`
  return { name, status: 'ok', reason: `answers in ${ms} ms; shares ${shared}` }
}

/** One connection, one question, no second try. */
async function probe(redisUrl: string): Promise<void> {
  const redis = openRedis(redisUrl, {
    lazyConnect: true,
    connectTimeout: TIMEOUT_MS,
    commandTimeout: TIMEOUT_MS,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    disableClientInfo: true,
  })
  // The promises only say that the connection is closed; this event has the reason.
  let cause: unknown
  redis.on('error', (error) => {
    cause ??= error
  })
  try {
    await redis.connect()
    await redis.eval(PROBE, 0)
  } catch (error) {
    throw cause ?? error
  } finally {
    redis.disconnect()
  }
}
