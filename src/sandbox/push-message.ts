import { randomBytes } from 'node:crypto'
import { decodeAesKey, encrypt } from '../callbacks/cipher.js'
import { sign } from '../callbacks/signature.js'

/** An account's message push, as entered in WeChat's console. */
export interface CallbackConfig {
  url: string
  token: string
  /** Needed in all modes but plain. */
  encodingAesKey: string
  mode: 'plain' | 'compatible' | 'safe'
  format: 'xml' | 'json'
}

export interface PushedEvent {
  name: string
  openId: string
  /** When it happened, ms. */
  at: number
  /** Items of its list; for an event without a list, its fields. */
  items: Record<string, string>[]
}

interface Fields {
  [name: string]: string | number | Fields | Fields[]
}

/** The element around the list in XML (小程序订阅消息). JSON has none, and no list if there is only one item. */
const WRAPPERS: Record<string, string> = {
  subscribe_msg_popup_event: 'SubscribeMsgPopupEvent',
  subscribe_msg_change_event: 'SubscribeMsgChangeEvent',
  subscribe_msg_sent_event: 'SubscribeMsgSentEvent',
}
const ORIGINAL_ID = 'gh_sandbox00000'

/** The request that sends an event to `config.url`. `now` in ms stamps and signs it. */
export function composePush(
  config: CallbackConfig,
  appId: string,
  event: PushedEvent,
  now: number,
): { url: string; body: string; contentType: string } {
  const write = config.format === 'json' ? JSON.stringify : toXml
  const message = messageOf(event, config.format)
  const timestamp = String(Math.floor(now / 1000))
  const nonce = String(randomBytes(6).readUIntBE(0, 6))
  const query = { signature: sign(config.token, timestamp, nonce), timestamp, nonce, openid: event.openId }
  const contentType = config.format === 'json' ? 'application/json' : 'text/xml'
  if (config.mode === 'plain') return { url: withQuery(config.url, query), body: write(message), contentType }

  const key = decodeAesKey(config.encodingAesKey)
  const Encrypt = encrypt(key, write(message), appId, randomBytes(16))
  const envelope = { ToUserName: ORIGINAL_ID, Encrypt }
  return {
    url: withQuery(config.url, {
      ...query,
      encrypt_type: 'aes',
      msg_signature: sign(config.token, timestamp, nonce, Encrypt),
    }),
    body: write(config.mode === 'safe' ? envelope : { ...message, ...envelope }),
    contentType,
  }
}

function messageOf({ name, openId, at, items }: PushedEvent, format: CallbackConfig['format']): Fields {
  const message: Fields = {
    ToUserName: ORIGINAL_ID,
    FromUserName: openId,
    CreateTime: Math.floor(at / 1000),
    MsgType: 'event',
    Event: name,
  }
  const [first = {}] = items
  const wrapper = WRAPPERS[name]
  if (wrapper === undefined) return { ...message, ...first }
  if (format === 'xml') return { ...message, [wrapper]: { List: items } }
  // The samples of these events, and only of these, have text for every number.
  const CreateTime = String(message.CreateTime)
  return { ...message, CreateTime, List: items.length === 1 ? first : items }
}

function toXml(message: Fields): string {
  return `<xml>${elements(message)}</xml>`
}

function elements(fields: Fields): string {
  return Object.entries(fields)
    .flatMap(([name, value]) => (Array.isArray(value) ? value : [value]).map((each) => element(name, each)))
    .join('\n')
}

function element(name: string, value: string | number | Fields): string {
  if (typeof value === 'number') return `<${name}>${value}</${name}>`
  return `<${name}>${typeof value === 'string' ? `<![CDATA[${value}]]>` : elements(value)}</${name}>`
}

function withQuery(url: string, query: Record<string, string>): string {
  const address = new URL(url)
  for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value)
  return address.href
}
