import { randomUUID } from 'node:crypto'
import type { Knex } from 'knex'
import type { Account } from './account.js'
import type { Config } from './config/read.js'
import { openDatabase } from './db/connect.js'
import type { ObserveStatement } from './db/observed-client.js'
import { ServiceError } from './errors.js'
import { createInstance, type Instance } from './lib/instance.js'
import { createLogger, type Logger } from './lib/logger.js'
import { testTiming } from './lib/test-timing.js'
import { LEASE_MS } from './messages/leases.js'
import { type SendingObserver, UNOBSERVED } from './messages/observer.js'
import { createRate } from './messages/rate.js'
import { createSender } from './messages/send.js'
import { openSharedTurns, type SharedTurns } from './messages/shared-turns.js'
import { createShares } from './messages/shares.js'
import type { RemindDeps } from './reminders/run.js'
import { fetchWithRetry } from './tokens/fetch-with-retry.js'
import { openTokenStore } from './tokens/open-store.js'
import { createSharedToken, type TokenCounters } from './tokens/shared-token.js'
import { TOKEN_TIMING } from './tokens/timing.js'
import { fetchAccessToken } from './wechat/access-token.js'
import { createAuxiliary } from './wechat/auxiliary.js'
import { createWechatClient } from './wechat/client.js'
import { createWechatHttp, type ObserveRequest } from './wechat/http.js'
import { exchangeLoginCode, type LoginResult } from './wechat/login.js'

/** At 100 ms each, 160 logins a second; more wait for a free connection. */
const LOGIN_CONNECTIONS = 16
/**
 * Above this, logins are refused at once: behind 500 others a login would wait for three seconds while its code grows
 * old.
 */
const MAX_LOGINS = 500
/** A page is waiting for the login. */
const LOGIN_TIMEOUT_MS = 5_000

/** What every command works with. */
export interface Base {
  db: Knex
  log: Logger
  now(): number
  close(): Promise<void>
}

/** Of a process that may learn of further accounts. */
export interface ServiceBase extends Base {
  instance: Instance
  /** From now on the log shows none of them. */
  hideSecrets(secrets: readonly string[]): void
}

/** What sends messages of one account. */
export interface Sending extends RemindDeps {
  /** Returns the account's access token, fetching one if there is none. Throws TokenError. */
  getToken(): Promise<string>
  /**
   * Throws TokenError if WeChat refuses the secret or the address of this machine as they are now, which a stored token
   * does not show for hours. undefined where asking would end the token in use (classic).
   */
  checkSecret: (() => Promise<void>) | undefined
  /** What this process has seen of the token so far. */
  tokenCounters(): TokenCounters
  close(): Promise<void>
}

/** Whom the work of an account reports to; commands have nobody who asks. */
export interface Observers {
  sending: SendingObserver
  onWechatRequest: ObserveRequest
}

/**
 * `secrets` are those of accounts, which the log hides along with the config's. `now` is the one clock of everything
 * below; the demo passes one that runs through a week in seconds.
 */
export function openBase(
  config: Config,
  secrets: readonly string[] = [],
  now: () => number = Date.now,
  onStatement?: ObserveStatement,
): ServiceBase {
  const db = openDatabase(config.databaseUrl, testTiming().statement, onStatement)
  const hidden = new Set(
    [
      ...secrets,
      ...config.apiKeys.map(({ key }) => key),
      ...config.sessionSecrets,
      config.adminPassword ?? '',
      config.metricsToken ?? '',
      ...config.tokenKeys,
    ].filter(Boolean),
  )
  const instance = createInstance()
  const log = createLogger({ level: config.logLevel, secrets: hidden, instance })
  return {
    db,
    log,
    now,
    instance,
    hideSecrets: (more) => {
      for (const secret of more) hidden.add(secret)
    },
    close: () => db.destroy(),
  }
}

/** Opens connections to WeChat, and the token and rate that all processes share. Asks WeChat for nothing yet. */
export function openSending(
  { db, log, now }: Base,
  config: Config,
  account: Account,
  observers?: Observers,
): Sending {
  const { lease = LEASE_MS, http: httpMs, backoff = 1, token: tokenMs } = testTiming()
  const http = createWechatHttp({
    baseUrl: config.wechatBaseUrl,
    // One more than there are messages under way, for the token.
    connections: account.sendConcurrency + 1,
    ...(observers ? { onEnd: observers.onWechatRequest } : {}),
    ...(httpMs === undefined ? {} : { headersTimeoutMs: httpMs, bodyTimeoutMs: httpMs }),
  })
  const tokenStore = openTokenStore({ ...config, db, appId: account.appId, log })
  const tokens = createSharedToken({
    store: tokenStore.store,
    appId: account.appId,
    fetchToken: (signal) => fetchAccessToken(http, account, signal),
    owner: randomUUID(),
    now,
    logger: log,
    ...(tokenMs === undefined ? {} : { timing: { leaseMs: tokenMs, failurePauseMs: tokenMs } }),
  })
  const wechat = createWechatClient({ http, tokens })
  const shared = openShared(log, config, account)

  async function checkSecret(): Promise<void> {
    const timing = { ...TOKEN_TIMING, attempts: 1 }
    await fetchWithRetry(
      (signal) => fetchAccessToken(http, account, signal),
      timing,
      async () => false,
    )
  }

  return {
    db,
    log,
    now,
    random: () => backoff * Math.random(),
    getToken: () => tokens.get(),
    checkSecret: account.tokenMode === 'stable' ? checkSecret : undefined,
    tokenCounters: () => tokens.counters(),
    send: createSender(wechat, account),
    auxiliary: createAuxiliary(wechat, httpMs),
    leaseMs: lease,
    concurrency: account.sendConcurrency,
    shares: createShares(account.sendConcurrency),
    rate: createRate(account.sendRate, shared?.take),
    observe: observers?.sending ?? UNOBSERVED,
    async close() {
      shared?.close()
      await tokens.close()
      tokenStore.close()
      await http.close()
    },
  }
}

/**
 * Asks WeChat who is logging in, over connections of its own: behind a run of messages a login would wait for
 * minutes.
 */
export interface LoginClient {
  /** Rejects with `overloaded` if too many wait. */
  exchangeCode(code: string): Promise<LoginResult>
  close(): Promise<void>
}

export function openLoginClient(config: Config, account: Account, observers?: Observers): LoginClient {
  const http = createWechatHttp({
    baseUrl: config.wechatBaseUrl,
    connections: LOGIN_CONNECTIONS,
    headersTimeoutMs: LOGIN_TIMEOUT_MS,
    bodyTimeoutMs: LOGIN_TIMEOUT_MS,
    ...(observers ? { onEnd: observers.onWechatRequest } : {}),
  })
  let underWay = 0
  return {
    async exchangeCode(code) {
      if (underWay >= MAX_LOGINS) {
        throw new ServiceError(
          'overloaded',
          'Too many logins wait for WeChat; try again shortly, with a new code',
        )
      }
      underWay++
      try {
        return await exchangeLoginCode(http, account, code)
      } finally {
        underWay--
      }
    },
    close: () => http.close(),
  }
}

/** Without a SEND_RATE there is nothing to share out. */
function openShared(log: Logger, config: Config, { appId, sendRate }: Account): SharedTurns | undefined {
  const { redisUrl } = config
  if (redisUrl === undefined || sendRate === undefined) return undefined
  return openSharedTurns({ redisUrl, appId, perSecond: sendRate, log })
}
