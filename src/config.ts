import { cleanEnv, EnvMissingError, host, makeExactValidator, str } from 'envalid'
import { IANAZone } from 'luxon'
import { DATABASE_URL_FORMS, DEFAULT_DATABASE_URL, isDatabaseUrl } from './db/connect.js'
import { ConfigError } from './errors.js'
import { parseProxies } from './http/proxies.js'
import { DEFAULT_RATE_LIMITS, parseRateLimits, type RateLimits } from './http/rate-limits.js'
import { parseCron } from './lib/cron.js'
import { isRedisUrl, REDIS_URL_FORMS } from './lib/redis-url.js'
import { refuseWeak } from './lib/secrets.js'
import { parseReminderData } from './reminders/text.js'

/** Message push, as entered in WeChat's console. */
export interface CallbackSettings {
  /** '' = callbacks are off. */
  token: string
  /** '' = plain mode: pushes are not encrypted. */
  encodingAesKey: string
  /** Where WeChat calls, for the self-test alone; '' = not known. */
  url: string
}

/** One WeChat app that messages are sent for, and what its daily reminder says. */
export interface Account {
  appId: string
  appSecret: string
  channel: 'form_id' | 'subscribe'
  tokenMode: 'stable' | 'classic'
  /** Who numbers users: the owner's backend, or this service. */
  userIds: 'backend' | 'auto'
  callback: CallbackSettings
  templateId: string
  page: string
  /** Key of the template -> text with placeholders, see reminders/text.ts. */
  data: Record<string, string>
  timezone: string
  remindCron: string
  expireCron: string
  /** End of the sending window in the account's zone. */
  sendUntil: { hour: number; minute: number }
}

export interface ApiKey {
  name: string
  key: string
}

export interface Config {
  databaseUrl: string
  host: string
  port: number
  logLevel: string
  wechatBaseUrl: string
  sendConcurrency: number
  /** Messages per second, of all processes together if Redis shares it; undefined = as fast as WeChat answers. */
  sendRate: number | undefined
  /** Shares the rate among processes; undefined = each has its own. */
  redisUrl: string | undefined
  apiKeys: ApiKey[]
  /** The first signs sessions, all are good for checking one. None: there are no sessions. */
  sessionSecrets: string[]
  rateLimits: RateLimits
  /** Proxies whose X-Forwarded-For is believed. */
  trustProxy: string[]
  /** Whether /docs and /openapi.json are there. */
  apiDocs: boolean
  /** Settled messages, used permits, runs and sign-ins are kept for so long. */
  retentionDays: number
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
const MAX_SEND_CONCURRENCY = 1024

const timezone = makeExactValidator<string>((text) => {
  if (!IANAZone.isValidZone(text)) throw new Error(`"${text}" is no IANA time zone, e.g. Asia/Shanghai`)
  return text
})

const cron = makeExactValidator<string>((text) => {
  parseCron(text)
  return text
})

const timeOfDay = makeExactValidator<{ hour: number; minute: number }>((text) => {
  const match = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text)
  if (!match) throw new Error(`"${text}" is no time of day from 00:00 to 23:59`)
  return { hour: Number(match[1]), minute: Number(match[2]) }
})

/** Infinity stands for no limit, because envalid takes an undefined for a failure. */
const rate = makeExactValidator<number>((text) => {
  if (text === 'unlimited') return Number.POSITIVE_INFINITY
  const value = Number(text)
  if (!(value > 0)) throw new Error(`"${text}" is neither "unlimited" nor a number of messages per second`)
  return value
})

/** 0 lets the system choose a free one. */
const port = makeExactValidator<number>((text) => {
  const value = wholeNumber(text)
  if (!(value <= 65_535)) throw new Error(`"${text}" is no port from 0 to 65535`)
  return value
})

const concurrency = makeExactValidator<number>((text) => {
  const value = wholeNumber(text)
  if (!(value >= 1 && value <= MAX_SEND_CONCURRENCY)) {
    throw new Error(`"${text}" is no whole number from 1 to ${MAX_SEND_CONCURRENCY}`)
  }
  return value
})

/** At least two weeks: permits live for seven days, and whoever asks why a user got nothing asks about last week. */
const retentionDays = makeExactValidator<number>((text) => {
  const value = wholeNumber(text)
  if (!(value >= 14)) throw new Error(`"${text}" is no whole number of days from 14 on`)
  return value
})

/** NaN for what is not written in digits: Number() takes blanks for 0, and 0x10 for 16. */
function wholeNumber(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
}

/** Of the value nothing is repeated: it holds a password. */
const databaseUrl = makeExactValidator<string>((text) => {
  if (!isDatabaseUrl(text))
    throw new Error(`must be ${DATABASE_URL_FORMS}; write # / ? @ in a password as %23 %2F %3F %40`)
  return text
})

/** Of the value nothing is repeated: it holds a password. Empty stands for none, as envalid takes undefined for a failure. */
const redisUrl = makeExactValidator<string>((text) => {
  if (!isRedisUrl(text))
    throw new Error(`must be ${REDIS_URL_FORMS}; write # / ? @ in a password as %23 %2F %3F %40`)
  return text
})

/** Without TLS whoever is on the way reads the app secret and the token: only the sandbox on this machine needs none. */
const wechatUrl = makeExactValidator<string>((text) => {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text))
    throw new Error('must be an http:// or https:// URL')
  const { protocol, hostname } = new URL(text)
  if (protocol === 'http:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname))
    throw new Error('must be an https:// URL; http:// is for a sandbox on this machine')
  return text
})

const webUrl = makeExactValidator<string>((text) => {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text))
    throw new Error('must be an http:// or https:// URL')
  return text
})

/** An id of WeChat's, as the tables hold it. */
const wechatId = makeExactValidator<string>((text) => {
  if (!/^[\x21-\x7e]{1,64}$/.test(text))
    throw new Error(`"${text}" is no id of WeChat: up to 64 letters, digits and signs`)
  return text
})

/** Of the value nothing is repeated, here and below: it is a secret. */
const callbackToken = makeExactValidator<string>((text) => {
  // WeChat itself takes 3 of them: whoever sees one push can try all tokens of that length in a second.
  if (!/^[A-Za-z0-9]{16,32}$/.test(text))
    throw new Error('must be 16 to 32 letters and digits; make one with "openssl rand -hex 16"')
  refuseWeak(text, 16, 'make one with "openssl rand -hex 16"')
  return text
})

const encodingAesKey = makeExactValidator<string>((text) => {
  if (!/^[A-Za-z0-9]{43}$/.test(text)) throw new Error('must be the 43 letters and digits of the console')
  refuseWeak(text, 43, 'let the console make one')
  return text
})

const apiKeys = makeExactValidator<ApiKey[]>((text) =>
  text
    .split(',')
    .filter((pair) => pair.trim() !== '')
    .map((pair) => {
      const separator = pair.indexOf(':')
      const name = pair.slice(0, separator).trim()
      const key = pair.slice(separator + 1).trim()
      // The value itself stays out of the message: it may be a real key with its name forgotten.
      if (separator < 1 || name === '' || key === '') throw new Error('write it as name:key,name:key')
      if (!/^[\x21-\x7e]+$/.test(key)) {
        throw new Error(
          `the key of "${name}" cannot be sent in a header: use letters, digits and signs, no blanks`,
        )
      }
      naming(`the key of "${name}"`, () => refuseWeak(key, 16))
      return { name, key }
    }),
)

/** Of the value nothing is repeated. 32 characters: the least for HS256 is 256 bits (RFC 7518, 3.2). */
const sessionSecrets = makeExactValidator<string[]>((text) => {
  const secrets = text.split(',').map((secret) => secret.trim())
  for (const secret of secrets) naming('each of new,old', () => refuseWeak(secret, 32))
  return secrets
})

function naming(what: string, check: () => void): void {
  try {
    check()
  } catch (error) {
    throw new Error(`${what} ${messageOf(error)}`)
  }
}

const rateLimits = makeExactValidator<RateLimits>(parseRateLimits)
const proxies = makeExactValidator<string[]>(parseProxies)

const reminderData = makeExactValidator<Record<string, string>>(parseReminderData)

const serviceSpec = {
  DATABASE_URL: databaseUrl({ default: DEFAULT_DATABASE_URL }),
  HOST: host({ default: '127.0.0.1' }),
  PORT: port({ default: 3000 }),
  LOG_LEVEL: str({ default: 'info', choices: LOG_LEVELS }),
  WX_API_BASE_URL: wechatUrl({ default: 'https://api.weixin.qq.com' }),
  SEND_CONCURRENCY: concurrency({ default: 64 }),
  SEND_RATE: rate({ default: Number.POSITIVE_INFINITY }),
  REDIS_URL: redisUrl({ default: '' }),
  API_KEYS: apiKeys({ default: [] }),
  SESSION_SECRET: sessionSecrets({ default: [] }),
  RATE_LIMITS: rateLimits({ default: DEFAULT_RATE_LIMITS }),
  TRUST_PROXY: proxies({ default: ['loopback'] }),
  API_DOCS: str({ default: 'on', choices: ['on', 'off'] as const }),
  RETENTION_DAYS: retentionDays({ default: 90 }),
}

const accountSpec = {
  WX_APP_ID: wechatId(),
  WX_APP_SECRET: str({ default: '' }),
  WX_CHANNEL: str({ default: 'form_id', choices: ['form_id', 'subscribe'] as const }),
  WX_TOKEN_MODE: str({ default: 'stable', choices: ['stable', 'classic'] as const }),
  USER_IDS: str({ default: 'backend', choices: ['backend', 'auto'] as const }),
  WX_CALLBACK_TOKEN: callbackToken({ default: '' }),
  WX_ENCODING_AES_KEY: encodingAesKey({ default: '' }),
  WX_CALLBACK_URL: webUrl({ default: '' }),
  REMINDER_TEMPLATE_ID: wechatId({ default: '' }),
  REMINDER_PAGE: str({ default: '' }),
  REMINDER_DATA: reminderData({ default: {} }),
  TIMEZONE: timezone({ default: 'Asia/Shanghai' }),
  REMIND_CRON: cron({ default: '0 10 * * *' }),
  EXPIRE_CRON: cron({ default: '*/20 * * * *' }),
  SEND_UNTIL: timeOfDay({ default: { hour: 22, minute: 0 } }),
}

export type Environment = Record<string, string | undefined>

/** What every command needs. Throws ConfigError with all faults at once. */
export function readConfig(env: Environment): Config {
  const values = clean(env, serviceSpec)
  return {
    databaseUrl: values.DATABASE_URL,
    host: values.HOST,
    port: values.PORT,
    logLevel: values.LOG_LEVEL,
    wechatBaseUrl: values.WX_API_BASE_URL,
    sendConcurrency: values.SEND_CONCURRENCY,
    sendRate: Number.isFinite(values.SEND_RATE) ? values.SEND_RATE : undefined,
    redisUrl: values.REDIS_URL || undefined,
    apiKeys: values.API_KEYS,
    sessionSecrets: values.SESSION_SECRET,
    rateLimits: values.RATE_LIMITS,
    trustProxy: values.TRUST_PROXY,
    apiDocs: values.API_DOCS === 'on',
    retentionDays: values.RETENTION_DAYS,
  }
}

/** The account that the tables and messages are for. Throws ConfigError with all faults at once. */
export function readAccount(env: Environment): Account {
  const values = clean(env, accountSpec)
  assertWindowOpens(values.REMIND_CRON, values.SEND_UNTIL)
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
    timezone: values.TIMEZONE,
    remindCron: values.REMIND_CRON,
    expireCron: values.EXPIRE_CRON,
    sendUntil: values.SEND_UNTIL,
  }
}

/** A run that starts when its window has closed reminds nobody on any day, and nobody would notice but the users. */
function assertWindowOpens(remindCron: string, { hour, minute }: Account['sendUntil']): void {
  const { hours, minutes } = parseCron(remindCron)
  const first = { hour: Math.min(...hours), minute: Math.min(...minutes) }
  if (first.hour < hour || (first.hour === hour && first.minute < minute)) return
  throw new ConfigError([
    `REMIND_CRON: "${remindCron}" first fires at ${clockTime(first)}, and at SEND_UNTIL (${clockTime({ hour, minute })}) ` +
      'sending ends: nobody would ever be reminded',
  ])
}

function clockTime({ hour, minute }: Account['sendUntil']): string {
  return [hour, minute].map((part) => String(part).padStart(2, '0')).join(':')
}

/** What a command sends, if it sends anything. */
export type Purpose = 'nothing' | 'any message' | 'reminders'

/** Without a secret there is no token, without a template nothing to say. */
const NEEDED: Record<Purpose, string[]> = {
  nothing: [],
  'any message': ['WX_APP_SECRET'],
  reminders: ['WX_APP_SECRET', 'REMINDER_TEMPLATE_ID', 'REMINDER_DATA'],
}

/** Settings and account for a command. Throws ConfigError with the faults of both, and what is missing for it, at once. */
export function readSettings(env: Environment, purpose: Purpose): { config: Config; account: Account } {
  const faults: string[] = []
  const config = collectFaults(faults, () => readConfig(env))
  const account = collectFaults(faults, () => readAccount(env))
  faults.push(...NEEDED[purpose].filter((name) => !env[name]).map((name) => `${name}: is not set`))
  if (config === undefined || account === undefined || faults.length > 0) throw new ConfigError(faults)
  return { config, account }
}

function collectFaults<T>(faults: string[], read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    faults.push(...error.faults)
    return undefined
  }
}

function clean<Spec extends Parameters<typeof cleanEnv>[1]>(env: Environment, spec: Spec) {
  // A variable that is set to nothing, as in an unfilled .env file, counts as not set.
  const filled = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  return cleanEnv(filled, spec, {
    reporter: ({ errors }) => {
      const faults = Object.entries(errors).map(
        ([name, error]) => `${name}: ${error instanceof EnvMissingError ? 'is not set' : messageOf(error)}`,
      )
      if (faults.length > 0) throw new ConfigError(faults)
    },
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
