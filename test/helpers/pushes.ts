import * as wecom from '@wecom/crypto'

/** A WeChat whose cryptography is somebody else's: what it sends was not made by the code that reads it. */
export interface Sender {
  appId: string
  token: string
  encodingAesKey: string
  mode: 'plain' | 'compatible' | 'safe'
  format: 'xml' | 'json'
}

export type Message = { [name: string]: string | number | Message | Message[] }

/** One item of a list, or what an event without a list has of its own. */
type Fields = Record<string, string | number>

const WRAPPERS: Record<string, string> = {
  subscribe_msg_popup_event: 'SubscribeMsgPopupEvent',
  subscribe_msg_change_event: 'SubscribeMsgChangeEvent',
  subscribe_msg_sent_event: 'SubscribeMsgSentEvent',
}

/** An event as WeChat writes it: in JSON the list is at the top, and no list if it has one item. */
export function eventMessage(
  { format }: Pick<Sender, 'format'>,
  event: { name: string; openId: string; at: number; items: Fields[] },
): Message {
  const { name, openId, at, items } = event
  const envelope = {
    ToUserName: 'gh_97417a04a28d',
    FromUserName: openId,
    CreateTime: format === 'json' ? String(Math.floor(at / 1000)) : Math.floor(at / 1000),
    MsgType: 'event',
    Event: name,
  }
  const wrapper = WRAPPERS[name]
  if (wrapper === undefined) return { ...envelope, ...items[0] }
  const [only] = items
  const list = items.length === 1 && only ? only : items
  return format === 'json' ? { ...envelope, List: list } : { ...envelope, [wrapper]: { List: list } }
}

export interface Push {
  query: Record<string, string>
  body: string
  contentType: string
}

let nonces = 0

/** The request that a push is. `now` in ms. */
export function compose(sender: Sender, message: Message, now: number, nonce = `nonce${++nonces}`): Push {
  const { appId, token, encodingAesKey, mode, format } = sender
  const timestamp = String(Math.floor(now / 1000))
  const write = format === 'json' ? JSON.stringify : toXml
  const contentType = format === 'json' ? 'application/json' : 'text/xml'
  const query = { signature: wecom.getSignature(token, timestamp, nonce, ''), timestamp, nonce }
  if (mode === 'plain') return { query, body: write(message), contentType }
  const Encrypt = wecom.encrypt(encodingAesKey, write(message), appId)
  const msg_signature = wecom.getSignature(token, timestamp, nonce, Encrypt)
  const envelope = { ToUserName: 'gh_97417a04a28d', Encrypt }
  return {
    query: { ...query, openid: 'o', encrypt_type: 'aes', msg_signature },
    body: write(mode === 'safe' ? envelope : { ...message, ...envelope }),
    contentType,
  }
}

function toXml(message: Message): string {
  const write = (name: string, value: Message[string]): string => {
    if (typeof value === 'number') return `<${name}>${value}</${name}>`
    if (typeof value === 'string') return `<${name}><![CDATA[${value}]]></${name}>`
    if (Array.isArray(value)) return value.map((each) => write(name, each)).join('\n')
    return `<${name}>${fields(value)}</${name}>`
  }
  const fields = (of: Message): string =>
    Object.entries(of)
      .map(([name, value]) => write(name, value))
      .join('\n')
  return `<xml>${fields(message)}</xml>`
}
