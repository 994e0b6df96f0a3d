import { type Finding, toFinding } from '../findings/finding.js'
import type { Bilingual } from '../lib/bilingual.js'
import { openRedis } from '../lib/redis.js'

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
  const finding = 'shared_rate_away'
  const started = performance.now()
  try {
    await probe(redisUrl)
  } catch (error) {
    const { code, message } = error as Error & { code?: string }
    if (NOT_ALLOWED.test(message)) {
      const [why] = message.split(' ')
      const reason = { en: `refuses this service: ${why}`, zh: `拒绝本服务：${why}` }
      return toFinding(name, 'fail', reason, { fix: ALLOW, finding })
    }
    const why = code ?? 'no answer'
    const reason = {
      en: `cannot be reached: ${why}; the token is shared in the table, and each process goes on with its share of SEND_RATE`,
      zh: `无法连接：${why}；token 改由数据表共享，各进程按自己的份额遵守 SEND_RATE`,
    }
    return toFinding(name, 'warn', reason, { fix: RUN, finding })
  }
  const ms = Math.round(performance.now() - started)
  return toFinding(name, 'ok', {
    en: `answers in ${ms} ms; shares the access token${sendRate === undefined ? '' : ` and ${sendRate} messages a second`}`,
    zh: `${ms} 毫秒内应答；共享 access_token${sendRate === undefined ? '' : ` 和每秒 ${sendRate} 条`}`,
  })
}

const ALLOW: Bilingual = {
  en: 'Check user and password in REDIS_URL, and that the user may run scripts (EVAL).',
  zh: '检查 REDIS_URL 中的用户和密码，并确认该用户可执行脚本（EVAL）。',
}
const RUN: Bilingual = {
  en: 'Check REDIS_URL and that Redis is running.',
  zh: '检查 REDIS_URL，并确认 Redis 正在运行。',
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
