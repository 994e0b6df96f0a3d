import { type Fields, isFields, type Value } from '../lib/lossless-json.js'
import { sha256 } from '../lib/sha256.js'

/** One row of wx_callback_event, as received. An event with a list gives one row for each item. */
export interface ReceivedEvent {
  openId: string
  event: string
  /** CreateTime, in seconds; 0 if it had none. */
  eventTime: number
  templateId: string | null
  msgid: string | null
  /** The same whenever the event comes again. */
  key: string
  /** JSON of the fields particular to it. */
  payload: string
  /** Whether it needs processing; the others are only kept for the record. */
  work: 'due' | 'ignored' | 'incomplete'
}

interface Kind {
  /** The element around the list in XML; JSON has the list at the top (WeChat: 小程序订阅消息). */
  wrapper?: string
  fields: readonly string[]
  needs: readonly ('templateId' | 'msgid')[]
}

/** The events that move the books. */
const KINDS: Record<string, Kind> = {
  subscribe_msg_popup_event: {
    wrapper: 'SubscribeMsgPopupEvent',
    fields: ['TemplateId', 'SubscribeStatusString', 'PopupScene'],
    needs: ['templateId'],
  },
  subscribe_msg_change_event: {
    wrapper: 'SubscribeMsgChangeEvent',
    fields: ['TemplateId', 'SubscribeStatusString'],
    needs: ['templateId'],
  },
  subscribe_msg_sent_event: {
    wrapper: 'SubscribeMsgSentEvent',
    fields: ['TemplateId', 'MsgID', 'ErrorCode', 'ErrorStatus'],
    needs: ['msgid'],
  },
  TEMPLATESENDJOBFINISH: { fields: ['MsgID', 'Status'], needs: ['msgid'] },
  subscribe: { fields: ['EventKey'], needs: [] },
  unsubscribe: { fields: ['EventKey'], needs: [] },
}

/** Fields that have columns of their own, or are a second copy of the whole. */
const ENVELOPE = new Set(['ToUserName', 'FromUserName', 'CreateTime', 'MsgType', 'Event', 'Encrypt'])
const MAX_VALUE = 200
const MAX_PAYLOAD = 4_000
/** WeChat asks for at most five templates at once. */
const MAX_ITEMS = 100

/**
 * The events of a push; none for a message that a user wrote, of which nothing is kept. undefined for
 * anything else.
 */
export function readEvents(appId: string, fields: Fields): ReceivedEvent[] | undefined {
  const type = fields.MsgType
  if (typeof type !== 'string' || type === '') return undefined
  if (type !== 'event') return []
  const event = printable(fields.Event, 64)
  if (event === undefined) return undefined

  const kind = Object.hasOwn(KINDS, event) ? KINDS[event] : undefined
  const openId = printable(fields.FromUserName, 100) ?? ''
  const seconds = printable(fields.CreateTime, 10) ?? ''
  const eventTime = /^\d+$/.test(seconds) ? Number(seconds) : 0
  return itemsOf(fields, kind).map((item) => {
    const templateId = printable(item.TemplateId, 64) ?? null
    const msgid = printable(item.MsgID ?? item.MsgId, 32) ?? null
    const known = { templateId, msgid }
    const isWhole = openId !== '' && eventTime > 0 && kind?.needs.every((name) => known[name] !== null)
    return {
      openId,
      event,
      eventTime,
      templateId,
      msgid,
      key: sha256([appId, openId, event, eventTime, templateId ?? '', msgid ?? ''].join('\n')).toString(
        'hex',
      ),
      payload: kind ? JSON.stringify(pick(item, kind.fields)) : bounded(withoutEnvelope(item)),
      work: !kind ? 'ignored' : isWhole ? 'due' : 'incomplete',
    }
  })
}

/** The items of a list, which is an object if there is one item and an array if there are several. */
function itemsOf(fields: Fields, kind: Kind | undefined): Fields[] {
  if (kind?.wrapper === undefined) return [fields]
  const wrapped = fields[kind.wrapper]
  const list: Value | undefined = isFields(wrapped) ? wrapped.List : fields.List
  const items = (Array.isArray(list) ? list : [list]).filter(isFields).slice(0, MAX_ITEMS)
  // An empty list is still kept for the record.
  return items.length > 0 ? items : [{}]
}

function pick(item: Fields, names: readonly string[]): Record<string, string> {
  const picked: Record<string, string> = {}
  for (const name of names) {
    const value = item[name]
    if (typeof value === 'string') picked[name] = value.trim().slice(0, MAX_VALUE)
  }
  return picked
}

function withoutEnvelope(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !ENVELOPE.has(name)))
}

function bounded(fields: Fields): string {
  const text = JSON.stringify(fields)
  return text.length <= MAX_PAYLOAD ? text : JSON.stringify({ truncated: text.slice(0, MAX_PAYLOAD / 2) })
}

/** What the columns of WeChat's ids can hold: ASCII without blanks. undefined for anything else. */
function printable(value: Value | undefined, max: number): string | undefined {
  const text = typeof value === 'string' ? value.trim() : ''
  return new RegExp(`^[\\x21-\\x7e]{1,${max}}$`).test(text) ? text : undefined
}
