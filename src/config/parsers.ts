import { makeExactValidator } from 'envalid'
import { IANAZone } from 'luxon'
import type { ReminderData } from '../account.js'
import { DATABASE_URL_FORMS, isDatabaseUrl } from '../db/connect.js'
import { parseProxies } from '../http/proxies.js'
import { parseRateLimits, type RateLimits } from '../http/rate-limits.js'
import { parseCron } from '../lib/cron.js'
import { messageOf } from '../lib/message-of.js'
import { looksLikeHash, parsePasswordHash } from '../lib/password-hash.js'
import { isRedisUrl, REDIS_URL_FORMS } from '../lib/redis-url.js'
import { refuseWeak } from '../lib/secrets.js'
import { parseReminderData } from '../messages/reminder-data.js'

export const MAX_SEND_CONCURRENCY = 1024

/** Of texts; the JSON Schema of ACCOUNTS_FILE has them too. */
export const PATTERN = {
  timeOfDay: /^([01]\d|2[0-3]):([0-5]\d)$/,
  webUrl: /^[hH][tT][tT][pP][sS]?:\/\//,
  wechatId: /^[\x21-\x7e]{1,64}$/,
  callbackToken: /^[A-Za-z0-9]{16,32}$/,
  encodingAesKey: /^[A-Za-z0-9]{43}$/,
} as const

export const timezone = makeExactValidator<string>((text) => {
  // By luxon's cache: asking the system takes 0.3 ms, and a thousand accounts may share a zone.
  if (!IANAZone.create(text).isValid)
    throw new Error(`"${text}" is not an IANA time zone such as Asia/Shanghai`)
  return text
})

export const cron = makeExactValidator<string>((text) => {
  parseCron(text)
  return text
})

export const timeOfDay = makeExactValidator<{ hour: number; minute: number }>((text) => {
  const match = PATTERN.timeOfDay.exec(text)
  if (!match) throw new Error(`"${text}" is not a time of day from 00:00 to 23:59`)
  return { hour: Number(match[1]), minute: Number(match[2]) }
})

/** Infinity means no limit, because envalid reads undefined as a failure. */
export const rate = makeExactValidator<number>((text) => {
  if (text === 'unlimited') return Number.POSITIVE_INFINITY
  const value = Number(text)
  if (!(value > 0)) throw new Error(`"${text}" is neither "unlimited" nor a number of messages per second`)
  return value
})

/** 0 lets the system choose a free port. */
export const port = makeExactValidator<number>((text) => {
  const value = wholeNumber(text)
  if (!(value <= 65_535)) throw new Error(`"${text}" is not a port from 0 to 65535`)
  return value
})

export const concurrency = makeExactValidator<number>((text) => {
  const value = wholeNumber(text)
  if (!(value >= 1 && value <= MAX_SEND_CONCURRENCY)) {
    throw new Error(`"${text}" is not a whole number from 1 to ${MAX_SEND_CONCURRENCY}`)
  }
  return value
})

/** At least two weeks: permits live for seven days, and questions about a user are about last week. */
export const retentionDays = makeExactValidator<number>((text) => {
  const value = wholeNumber(text)
  if (!(value >= 14)) throw new Error(`"${text}" is not a whole number of days, 14 or more`)
  return value
})

/** NaN for anything not written in digits: Number() reads blanks as 0, and 0x10 as 16. */
function wholeNumber(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
}

/** The value stays out of the message: it holds a password. */
export const databaseUrl = makeExactValidator<string>((text) => {
  if (!isDatabaseUrl(text))
    throw new Error(`must be ${DATABASE_URL_FORMS}; write # / ? @ in a password as %23 %2F %3F %40`)
  return text
})

/**
 * The value stays out of the message: it holds a password. Empty means none, because envalid reads undefined
 * as a failure.
 */
export const redisUrl = makeExactValidator<string>((text) => {
  if (!isRedisUrl(text))
    throw new Error(`must be ${REDIS_URL_FORMS}; write # / ? @ in a password as %23 %2F %3F %40`)
  return text
})

/** Without TLS, anyone on the path reads the app secret and the token; only a sandbox on this machine may do without. */
export const wechatUrl = makeExactValidator<string>((text) => {
  return assertUrlWithTls(text, 'a sandbox')
})

function assertUrlWithTls(text: string, exception: string): string {
  if (!PATTERN.webUrl.test(text) || !URL.canParse(text)) throw new Error('must be an http:// or https:// URL')
  const { protocol, hostname } = new URL(text)
  if (protocol === 'http:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname))
    throw new Error(`must be an https:// URL; http:// is for ${exception} on this machine`)
  return text
}

export const webUrl = makeExactValidator<string>((text) => {
  if (!PATTERN.webUrl.test(text) || !URL.canParse(text)) throw new Error('must be an http:// or https:// URL')
  return text
})

/** Where what became of messages is sent. Without TLS, anyone on the path reads it; only this machine may do without. */
export const webhookUrl = makeExactValidator<string>((text) => {
  const { username, password } = new URL(assertUrlWithTls(text, 'a program'))
  if (username !== '' || password !== '')
    throw new Error('must not have a user or a password: the signature says who calls')
  return text
})

/** An empty appid means none, because envalid reads undefined as a failure. */
export const miniprogram = makeExactValidator<{ appid: string; pagepath: string }>((text) => {
  const { appid, pagepath = '', ...rest } = JSON.parse(text) ?? {}
  if (
    typeof appid !== 'string' ||
    appid === '' ||
    typeof pagepath !== 'string' ||
    Object.keys(rest).length > 0
  )
    throw new Error('must be JSON such as {"appid":"wx0123456789abcdef","pagepath":"pages/sign-in/index"}')
  return { appid, pagepath }
})

export const templates = makeExactValidator<string[]>((text) =>
  text.split(',').map((id) => parseWechatId(id.trim())),
)

/** An id issued by WeChat, as the tables hold it. */
export const wechatId = makeExactValidator<string>(parseWechatId)

function parseWechatId(text: string): string {
  if (!PATTERN.wechatId.test(text))
    throw new Error(`"${text}" is not a WeChat id: up to 64 letters, digits and symbols, without spaces`)
  return text
}

/** The value stays out of the message, here and below: it is a secret. */
export const callbackToken = makeExactValidator<string>((text) => {
  // WeChat accepts as few as 3, but anyone who sees one push can try every token of that length in a second.
  if (!PATTERN.callbackToken.test(text))
    throw new Error('must be 16 to 32 letters and digits; make one with "openssl rand -hex 16"')
  refuseWeak(text, 16, 'make one with "openssl rand -hex 16"')
  return text
})

export const encodingAesKey = makeExactValidator<string>((text) => {
  if (!PATTERN.encodingAesKey.test(text))
    throw new Error('must be the 43 letters and digits shown in the console')
  refuseWeak(text, 43, 'let the console generate one')
  return text
})

export const metricsToken = makeExactValidator<string>((text) => {
  if (!/^[\x21-\x7e]+$/.test(text))
    throw new Error('cannot be sent in a header: use letters, digits and symbols, without spaces')
  refuseWeak(text, 16)
  return text
})

/** The value stays out of the message. What begins as a secret of Standard Webhooks is base64 of the key itself. */
export const webhookSecret = makeExactValidator<string[]>((text) => {
  const secrets = newAndOld(text)
  for (const secret of secrets) {
    if (secret.startsWith('whsec_') && !/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/.test(secret))
      throw new Error('whsec_ must be followed by base64 of 24 bytes or more: openssl rand -base64 32')
  }
  return secrets
})

/** A key as API_KEYS has it. */
export interface NamedKey {
  name: string
  key: string
}

/** What the tables hold of the name of who submitted a message. */
const MAX_NAME = 64

export const apiKeys = makeExactValidator<NamedKey[]>((text) =>
  text
    .split(',')
    .filter((pair) => pair.trim() !== '')
    .map((pair) => {
      const separator = pair.indexOf(':')
      const name = pair.slice(0, separator).trim()
      const key = pair.slice(separator + 1).trim()
      // The value itself stays out of the message: it may be a real key whose name was forgotten.
      if (separator < 1 || name === '' || key === '') throw new Error('write it as name:key,name:key')
      if (name.length > MAX_NAME)
        throw new Error(`the name "${name.slice(0, MAX_NAME)}…" has more than ${MAX_NAME} characters`)
      if (!/^[\x21-\x7e]+$/.test(key)) {
        throw new Error(
          `the key of "${name}" cannot be sent in a header: use letters, digits and symbols, without spaces`,
        )
      }
      naming(`the key of "${name}"`, () => refuseWeak(key, 16))
      return { name, key }
    }),
)

/** The value stays out of the message. 32 characters: HS256 needs at least 256 bits (RFC 7518, 3.2). */
export const sessionSecrets = makeExactValidator<string[]>(newAndOld)

export const tokenKeys = makeExactValidator<string[]>(newAndOld)

/** `new,old`, while a secret is being replaced. */
function newAndOld(text: string): string[] {
  const secrets = text.split(',').map((secret) => secret.trim())
  for (const secret of secrets) naming('each of new,old', () => refuseWeak(secret, 32))
  return secrets
}

/** A password or its hash. The value stays out of the message. */
export const adminPassword = makeExactValidator<string>((text) => {
  if (looksLikeHash(text)) parsePasswordHash(text)
  else refuseWeak(text, 12, 'make one with "openssl rand -base64 18"')
  return text
})

function naming(what: string, check: () => void): void {
  try {
    check()
  } catch (error) {
    throw new Error(`${what} ${messageOf(error)}`)
  }
}

export const rateLimits = makeExactValidator<RateLimits>(parseRateLimits)
export const proxies = makeExactValidator<string[]>(parseProxies)

export const reminderData = makeExactValidator<ReminderData>(parseReminderData)
