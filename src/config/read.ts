import type { Account } from '../account.js'
import { ConfigError } from '../errors.js'
import { type ApiKey, unboundKey } from '../http/api-keys.js'
import type { RateLimits } from '../http/rate-limits.js'
import { readAccountsFile } from './accounts-file.js'
import { clean } from './clean.js'
import { Faults } from './faults.js'
import { inFile } from './file-account.js'
import { assertFitTogether } from './fit-together.js'
import type { NamedKey } from './parsers.js'
import { type Environment, withSecretFiles } from './secret-files.js'
import { accountSettings, serviceSettings } from './settings.js'

export interface Config {
  databaseUrl: string
  host: string
  port: number
  logLevel: string
  wechatBaseUrl: string
  /**
   * Shares the rates and tokens of accounts among processes; undefined = rates are each process's own, and the table
   * shares tokens.
   */
  redisUrl: string | undefined
  /** Those of API_KEYS. */
  apiKeys: NamedKey[]
  /** The first one signs sessions, and any of them verifies one. Empty: there are no sessions. */
  sessionSecrets: string[]
  /** Of the operators' pages, as it is or as a hash; undefined = there are no pages. */
  adminPassword: string | undefined
  /** Seal access tokens at rest: the first seals, any opens. Empty: they are stored as they are. */
  tokenKeys: string[]
  rateLimits: RateLimits
  /** Proxies whose X-Forwarded-For is trusted. */
  trustProxy: string[]
  /** Whether /docs and /openapi.json exist. */
  apiDocs: boolean
  /** What Prometheus sends to read /metrics; undefined = only programs on this machine may. */
  metricsToken: string | undefined
  /** An OpenTelemetry collector, which gets spans; undefined = nobody does. */
  otlpEndpoint: string | undefined
  /** For how long settled messages, used permits, runs and sign-ins are kept. */
  retentionDays: number
  /** Where the accounts and the keys of backends are listed; undefined = the environment has the one account. */
  accountsFile: string | undefined
}

export type { Environment }

/** What every command needs. Throws ConfigError with all faults at once. */
export function readConfig(env: Environment): Config {
  const values = clean(withSecretFiles(env), serviceSettings)
  return {
    databaseUrl: values.DATABASE_URL,
    host: values.HOST,
    port: values.PORT,
    logLevel: values.LOG_LEVEL,
    wechatBaseUrl: values.WX_API_BASE_URL,
    redisUrl: values.REDIS_URL || undefined,
    apiKeys: values.API_KEYS,
    sessionSecrets: values.SESSION_SECRET,
    adminPassword: values.ADMIN_PASSWORD || undefined,
    tokenKeys: values.TOKEN_KEY,
    rateLimits: values.RATE_LIMITS,
    trustProxy: values.TRUST_PROXY,
    apiDocs: values.API_DOCS === 'on',
    metricsToken: values.METRICS_TOKEN || undefined,
    otlpEndpoint: values.OTEL_EXPORTER_OTLP_ENDPOINT || undefined,
    retentionDays: values.RETENTION_DAYS,
    accountsFile: values.ACCOUNTS_FILE || undefined,
  }
}

/** The account that the tables and messages are for. Throws ConfigError with all faults at once. */
export function readAccount(env: Environment): Account {
  const values = clean(withSecretFiles(env), accountSettings)
  assertFitTogether(values)
  return {
    appId: values.WX_APP_ID,
    appSecret: values.WX_APP_SECRET,
    channel: values.WX_CHANNEL,
    tokenMode: values.WX_TOKEN_MODE,
    userIds: values.USER_IDS,
    callback: {
      token: values.WX_CALLBACK_TOKEN,
      encodingAesKey: values.WX_ENCODING_AES_KEY,
      url: values.WX_CALLBACK_URL,
    },
    templateId: values.REMINDER_TEMPLATE_ID,
    page: values.REMINDER_PAGE,
    data: values.REMINDER_DATA,
    url: values.REMINDER_URL,
    miniprogram: values.REMINDER_MINIPROGRAM.appid === '' ? undefined : values.REMINDER_MINIPROGRAM,
    miniprogramState: values.MINIPROGRAM_STATE,
    lang: values.MESSAGE_LANG,
    templates: values.TEMPLATES,
    webhook:
      values.WEBHOOK_URL === '' ? undefined : { url: values.WEBHOOK_URL, secrets: values.WEBHOOK_SECRET },
    sendConcurrency: values.SEND_CONCURRENCY,
    sendRate: Number.isFinite(values.SEND_RATE) ? values.SEND_RATE : undefined,
    timezone: values.TIMEZONE,
    remindCron: values.REMIND_CRON,
    expireCron: values.EXPIRE_CRON,
    sendUntil: values.SEND_UNTIL,
  }
}

/** What a command sends, if it sends anything. */
export type Purpose = 'nothing' | 'any message' | 'reminders'

/** Without a secret there is no token, without a template nothing to say. */
const NEEDED: Record<Purpose, string[]> = {
  nothing: [],
  'any message': ['WX_APP_SECRET'],
  reminders: ['WX_APP_SECRET', 'REMINDER_TEMPLATE_ID', 'REMINDER_DATA'],
}

export interface Settings {
  config: Config
  /** At least one; those of ACCOUNTS_FILE in its order. */
  accounts: Account[]
  /** Who may call: those of API_KEYS and of ACCOUNTS_FILE. */
  keys: ApiKey[]
  /** What works, and should not stay so. */
  warnings: string[]
}

/** An account's settings before they are read, and what a fault of theirs is called. */
interface Source {
  variables: Environment
  inWords(fault: string): [place: string, reason: string]
}

/**
 * Settings and accounts for a command. Throws ConfigError with the faults of all, and with what the command
 * lacks, at once. With `appId`, only that account needs what the command does.
 */
export function readSettings(env: Environment, purpose: Purpose, appId?: string): Settings {
  const given = withSecretFiles(env)
  const faults = new Faults()
  const config = collectFaults(faults, asGiven, () => readConfig(given))
  const { sources, keys, warnings } = given.ACCOUNTS_FILE
    ? readSources(given.ACCOUNTS_FILE, given, faults)
    : { sources: [{ variables: given, inWords: asGiven }], keys: [], warnings: [] }
  const accounts = sources.flatMap(({ variables, inWords }) => {
    const account = collectFaults(faults, inWords, () => readAccount(variables))
    const needed = appId === undefined || appId === variables.WX_APP_ID ? NEEDED[purpose] : []
    for (const name of needed.filter((name) => !variables[name]))
      faults.add(...inWords(`${name}: is not set`))
    return account ?? []
  })
  if (config) refuseTwice(config.apiKeys, keys, faults)
  if (config === undefined || faults.all.length > 0) throw new ConfigError(faults.all)
  return {
    config,
    accounts,
    keys: [...config.apiKeys.map(unboundKey), ...keys],
    warnings,
  }
}

function readSources(path: string, env: Environment, faults: Faults) {
  const file = readAccountsFile(path, env, faults)
  const sources = file.accounts.map(
    ({ variables }, i): Source => ({ variables, inWords: (fault) => inFile(fault, `accounts[${i}]`) }),
  )
  return { ...file, sources }
}

/** A key with all rights, and the same with some: nobody could say which of them holds. */
function refuseTwice(named: NamedKey[], ofFile: ApiKey[], faults: Faults): void {
  for (const { name, hash } of named.map(unboundKey)) {
    const i = ofFile.findIndex((key) => key.hash.equals(hash))
    if (i !== -1)
      faults.add(
        `api_keys[${i}].hash`,
        `is the hash of the key "${name}" of API_KEYS: take it out of one of them`,
      )
  }
}

function asGiven(fault: string): [place: string, reason: string] {
  const end = fault.indexOf(': ')
  return [fault.slice(0, end), fault.slice(end + 2)]
}

function collectFaults<T>(faults: Faults, inWords: Source['inWords'], read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const fault of error.faults) faults.add(...inWords(fault))
    return undefined
  }
}
