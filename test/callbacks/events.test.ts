import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readEvents } from '../../src/callbacks/events.js'
import { parsePush } from '../../src/callbacks/parse.js'
import type { Fields } from '../../src/lib/lossless-json.js'
import { eventMessage, type Message } from '../helpers/pushes.js'

const APP_ID = 'wxA'
const AT = 1_620_973_045_000
const ITEMS = [
  { TemplateId: 't1', SubscribeStatusString: 'accept', PopupScene: '0' },
  { TemplateId: 't2', SubscribeStatusString: 'reject', PopupScene: '0' },
]
const read = (message: Message) => readEvents(APP_ID, parsePush(JSON.stringify(message)) as Fields)
const popup = (items: Record<string, string>[]) =>
  eventMessage({ format: 'json' }, { name: 'subscribe_msg_popup_event', openId: 'o1', at: AT, items })

describe('the events of a push', () => {
  test('the events of a push are as many as its list has items, be it an object or an array', () => {
    expect(read(popup(ITEMS.slice(0, 1)))).toMatchObject([{ templateId: 't1', work: 'due' }])
    expect(read(popup(ITEMS))).toMatchObject([{ templateId: 't1' }, { templateId: 't2' }])
  })

  test('the events of a push have the same key whether times are numbers or text, and in JSON or XML', () => {
    const [asText] = read(popup(ITEMS)) ?? []
    const [asNumber] = read({ ...popup(ITEMS), CreateTime: AT / 1000 }) ?? []
    const xml = parsePush(
      `<xml><FromUserName>o1</FromUserName><CreateTime>${AT / 1000}</CreateTime><MsgType>event</MsgType>
       <Event>subscribe_msg_popup_event</Event><SubscribeMsgPopupEvent><List><TemplateId>t1</TemplateId>
       <SubscribeStatusString>accept</SubscribeStatusString></List></SubscribeMsgPopupEvent></xml>`,
    )
    const [fromXml] = readEvents(APP_ID, xml ?? {}) ?? []
    expect([asNumber?.key, fromXml?.key]).toEqual([asText?.key, asText?.key])
  })

  test('differ by account, person, event, time, template and message id', () => {
    const base = {
      MsgType: 'event',
      Event: 'e',
      FromUserName: 'o1',
      CreateTime: 1,
      TemplateId: 't',
      MsgID: '1',
    }
    const keys = [
      base,
      { ...base, Event: 'f' },
      { ...base, FromUserName: 'o2' },
      { ...base, CreateTime: 2 },
      { ...base, TemplateId: 'u' },
      { ...base, MsgID: '2' },
    ].map((message) => read(message)?.[0]?.key)
    const elsewhere = readEvents('wxB', parsePush(JSON.stringify(base)) as Fields)?.[0]?.key
    expect(new Set([...keys, elsewhere]).size).toBe(7)
  })

  test('the events of a push keep of a known event only the fields that it has by its description', () => {
    const [event] = read(popup([{ ...ITEMS[0], Extra: 'x'.repeat(10_000) } as Record<string, string>])) ?? []
    expect(JSON.parse(event?.payload ?? '')).toEqual(ITEMS[0])
  })

  test('fit the columns, whatever is in the push', () => {
    const names = fc.constantFrom(
      'subscribe_msg_popup_event',
      'subscribe_msg_sent_event',
      'TEMPLATESENDJOBFINISH',
      'unsubscribe',
      'other',
    )
    const push = fc.record(
      {
        MsgType: fc.constant('event'),
        Event: names,
        FromUserName: fc.jsonValue(),
        CreateTime: fc.oneof(fc.jsonValue(), fc.nat()),
        MsgID: fc.jsonValue(),
        TemplateId: fc.jsonValue(),
        List: fc.jsonValue(),
        SubscribeMsgPopupEvent: fc.jsonValue(),
      },
      { requiredKeys: ['MsgType', 'Event'] },
    )
    fc.assert(
      fc.property(push, (message) => {
        const fields = parsePush(JSON.stringify(message))
        // Nested deeper than a push of WeChat's.
        if (!fields) return
        for (const event of readEvents(APP_ID, fields) ?? []) {
          expect(event.openId).toMatch(/^[\x21-\x7e]{0,100}$/)
          expect(event.templateId ?? 't').toMatch(/^[\x21-\x7e]{1,64}$/)
          expect(event.msgid ?? '1').toMatch(/^[\x21-\x7e]{1,32}$/)
          expect(Number.isSafeInteger(event.eventTime)).toBe(true)
          expect(event.payload.length).toBeLessThan(10_000)
        }
      }),
    )
  })
})
