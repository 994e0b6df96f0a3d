import { host, str } from 'envalid'
import { DEFAULT_DATABASE_URL } from '../db/connect.js'
import { DEFAULT_RATE_LIMITS } from '../http/rate-limits.js'
import * as parse from './parsers.js'

/**
 * Settings of the process, with their defaults. README and docs/configuration.md list them too, and a test
 * compares them.
 */
export const serviceSettings = {
  DATABASE_URL: parse.databaseUrl({ default: DEFAULT_DATABASE_URL }),
  HOST: host({ default: '127.0.0.1' }),
  PORT: parse.port({ default: 3000 }),
  LOG_LEVEL: str({
    default: 'info',
    choices: ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const,
  }),
  WX_API_BASE_URL: parse.wechatUrl({ default: 'https://api.weixin.qq.com' }),
  REDIS_URL: parse.redisUrl({ default: '' }),
  API_KEYS: parse.apiKeys({ default: [] }),
  SESSION_SECRET: parse.sessionSecrets({ default: [] }),
  TOKEN_KEY: parse.tokenKeys({ default: [] }),
  ADMIN_PASSWORD: parse.adminPassword({ default: '' }),
  RATE_LIMITS: parse.rateLimits({ default: DEFAULT_RATE_LIMITS }),
  TRUST_PROXY: parse.proxies({ default: ['loopback'] }),
  API_DOCS: str({ default: 'on', choices: ['on', 'off'] as const }),
  OTEL_EXPORTER_OTLP_ENDPOINT: parse.webUrl({ default: '' }),
  METRICS_TOKEN: parse.metricsToken({ default: '' }),
  RETENTION_DAYS: parse.retentionDays({ default: 90 }),
  ACCOUNTS_FILE: str({ default: '' }),
}

/** Settings of one account; account-properties.ts says what each is called in ACCOUNTS_FILE. */
export const accountSettings = {
  WX_APP_ID: parse.wechatId(),
  WX_APP_SECRET: str({ default: '' }),
  WX_CHANNEL: str({ default: 'form_id', choices: ['form_id', 'subscribe', 'official'] as const }),
  WX_TOKEN_MODE: str({ default: 'stable', choices: ['stable', 'classic'] as const }),
  USER_IDS: str({ default: 'backend', choices: ['backend', 'auto'] as const }),
  WX_CALLBACK_TOKEN: parse.callbackToken({ default: '' }),
  WX_ENCODING_AES_KEY: parse.encodingAesKey({ default: '' }),
  WX_CALLBACK_URL: parse.webUrl({ default: '' }),
  REMINDER_TEMPLATE_ID: parse.wechatId({ default: '' }),
  REMINDER_PAGE: str({ default: '' }),
  REMINDER_DATA: parse.reminderData({ default: {} }),
  REMINDER_URL: parse.webUrl({ default: '' }),
  REMINDER_MINIPROGRAM: parse.miniprogram({ default: { appid: '', pagepath: '' } }),
  MINIPROGRAM_STATE: str({ default: 'formal', choices: ['developer', 'trial', 'formal'] as const }),
  MESSAGE_LANG: str({ default: 'zh_CN', choices: ['zh_CN', 'en_US', 'zh_HK', 'zh_TW'] as const }),
  TEMPLATES: parse.templates({ default: [] }),
  WEBHOOK_URL: parse.webhookUrl({ default: '' }),
  WEBHOOK_SECRET: parse.webhookSecret({ default: [] }),
  SEND_CONCURRENCY: parse.concurrency({ default: 64 }),
  SEND_RATE: parse.rate({ default: Number.POSITIVE_INFINITY }),
  TIMEZONE: parse.timezone({ default: 'Asia/Shanghai' }),
  REMIND_CRON: parse.cron({ default: '0 10 * * *' }),
  EXPIRE_CRON: parse.cron({ default: '*/20 * * * *' }),
  SEND_UNTIL: parse.timeOfDay({ default: { hour: 22, minute: 0 } }),
}
