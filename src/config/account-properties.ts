import type { Bilingual } from '../lib/bilingual.js'
import { MAX_SEND_CONCURRENCY, PATTERN } from './parsers.js'
import {
  choice,
  ids,
  MINIPROGRAM,
  object,
  rate,
  type Shape,
  secret,
  TEMPLATE_DATA,
  text,
  wholeNumber,
} from './property-shapes.js'
import { accountSettings as settings } from './settings.js'

export type AccountVariable = keyof typeof settings

/** A setting of an account as ACCOUNTS_FILE has it. */
export interface Property extends Shape {
  /** Where it stands in an account: `reminder.cron`. */
  path: string
  about: Bilingual
}

/**
 * A property of the file for each variable of an account. The rules of a value are those of the variable, in
 * settings.ts; here is what only JSON has: where it stands, and of which type it is.
 */
export const ACCOUNT_PROPERTIES: Record<AccountVariable, Property> = {
  WX_APP_ID: at('app_id', text(PATTERN.wechatId), 'app_id of the account', '账号的 AppID'),
  WX_APP_SECRET: at('app_secret', secret(), 'its secret', 'AppSecret'),
  WX_CHANNEL: at(
    'channel',
    choice(settings.WX_CHANNEL),
    'which permits a reminder spends',
    '提醒消耗哪种凭证',
  ),
  WX_TOKEN_MODE: at(
    'token_mode',
    choice(settings.WX_TOKEN_MODE),
    'how tokens are fetched',
    '如何取 access_token',
  ),
  USER_IDS: at('user_ids', choice(settings.USER_IDS), 'who numbers users', '用户编号由谁分配'),
  TIMEZONE: at('timezone', text(), 'IANA zone of its days and schedules', '业务日期和定时任务的时区'),
  SEND_UNTIL: at('send_until', text(PATTERN.timeOfDay), 'end of the sending window', '每天发送的截止时间'),
  SEND_CONCURRENCY: at(
    'send_concurrency',
    wholeNumber(1, MAX_SEND_CONCURRENCY),
    'requests to WeChat at once, in each process',
    '每个进程同时发出的请求数',
  ),
  SEND_RATE: at('send_rate', rate(), 'messages per second', '每秒消息数'),
  EXPIRE_CRON: at('expire_cron', text(), 'when permits that ran out are expired', '何时清理过期凭证'),
  WX_CALLBACK_TOKEN: at(
    'callback.token',
    secret(PATTERN.callbackToken),
    "Token of the message push, as in WeChat's console",
    '消息推送的 Token，与微信后台一致',
  ),
  WX_ENCODING_AES_KEY: at(
    'callback.encoding_aes_key',
    secret(PATTERN.encodingAesKey),
    'EncodingAESKey of the console; without it pushes are plain',
    '后台的 EncodingAESKey；不写则只收明文',
  ),
  WX_CALLBACK_URL: at(
    'callback.url',
    text(PATTERN.webUrl),
    'where WeChat calls, for doctor',
    '供 doctor 自检的地址',
  ),
  REMIND_CRON: at('reminder.cron', text(), 'when the daily run starts', '每天何时开始提醒'),
  REMINDER_TEMPLATE_ID: at('reminder.template_id', text(PATTERN.wechatId), 'its template', '提醒的模板 ID'),
  REMINDER_PAGE: at('reminder.page', text(), 'page that a tap opens', '点开后的页面'),
  REMINDER_DATA: at('reminder.data', object(TEMPLATE_DATA), 'key of the template to text', '模板字段到文案'),
  REMINDER_URL: at(
    'reminder.url',
    text(PATTERN.webUrl),
    'official: web page of a tap',
    'official：点开后的网页',
  ),
  REMINDER_MINIPROGRAM: at(
    'reminder.miniprogram',
    object(MINIPROGRAM),
    'official: mini-program that a tap opens',
    'official：点开后的小程序',
  ),
  TEMPLATES: at('templates', ids(), 'further templates of the account', '账号的其他模板 ID'),
  MINIPROGRAM_STATE: at(
    'miniprogram_state',
    choice(settings.MINIPROGRAM_STATE),
    'subscribe: which version of the mini-program a tap opens',
    'subscribe：点开哪个版本的小程序',
  ),
  MESSAGE_LANG: at(
    'lang',
    choice(settings.MESSAGE_LANG),
    'subscribe: language of the mini-program',
    'subscribe：小程序语言',
  ),
  WEBHOOK_URL: at(
    'webhook.url',
    text(PATTERN.webUrl),
    'who is told what became of messages',
    '消息结果通知到哪里',
  ),
  WEBHOOK_SECRET: at(
    'webhook.secret',
    secret(),
    'signs that; 32 characters or more',
    '通知的签名密钥，至少 32 个字符',
  ),
}

/** Without these there is no account. */
export const REQUIRED: readonly AccountVariable[] = ['WX_APP_ID', 'WX_APP_SECRET']

function at(path: string, shape: Shape, en: string, zh: string): Property {
  return { path, about: { en, zh }, ...shape }
}
