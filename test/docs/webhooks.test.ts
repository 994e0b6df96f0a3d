import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { user } from '../helpers/users.js'
import { SECRET, startWebhooks } from '../helpers/webhooks.js'
import { type Asked, startWechatStub, type WechatStub } from '../helpers/wechat.js'
import { useWorld } from '../helpers/world.js'
import { codeIn, languagesOf, read, rowsOf, wordOf } from './pages.js'

type ReadWebhook = (headers: Asked['headers'], body: string, secret: string, now?: number) => { type: string }

/** The code of a page, as a backend would have it in a file. */
async function load(page: string): Promise<ReadWebhook> {
  const [code = ''] = codeIn(read(page), 'js')
  const module = await import(`data:text/javascript,${encodeURIComponent(code)}`)
  return module.readWebhook
}

describe.each(languagesOf('docs/webhooks.md'))('%s', (page) => {
  const world = useWorld('sqlite', { leaves: 'its rows' })
  let receiver: WechatStub
  let readWebhook: ReadWebhook
  let asked: Asked
  beforeAll(async () => {
    receiver = await startWechatStub()
    readWebhook = await load(page)
    const secrets = ['new-secret-of-the-webhook-0123456789', SECRET]
    const worker = await startWebhooks(world, receiver, { webhook: { url: receiver.url, secrets } })
    await world.has(user(1).permits(1))
    await submitTo(world, [1])
    await sendSubmitted(world, world.startProcess())
    await worker.workDue()
    await worker.stop()
    const [first] = receiver.asked
    if (!first) throw new Error('the receiver was told nothing')
    asked = first
  })
  afterAll(() => receiver.close())

  test('has code that takes a delivery, by either secret while one is replaced', () => {
    const { headers, body } = asked
    for (const secret of [SECRET, 'new-secret-of-the-webhook-0123456789'])
      expect(readWebhook(headers, body, secret, world.clock.now())).toEqual(asked.json)
  })

  test('has code that refuses another secret, another body and an old request', () => {
    const { headers, body } = asked
    const now = world.clock.now()
    expect(() => readWebhook(headers, body, 'not the secret', now)).toThrow('wrong signature')
    expect(() => readWebhook(headers, `${body} `, SECRET, now)).toThrow('wrong signature')
    expect(() => readWebhook(headers, body, SECRET, now + 301_000)).toThrow('too old')
    const unsigned = { ...headers, 'webhook-signature': 'v1,' }
    expect(() => readWebhook(unsigned, body, SECRET, now)).toThrow('wrong signature')
  })

  test('names the headers of a delivery, and every type that there is', () => {
    const named = rowsOf(page, 'header', '请求头').map(([header]) => wordOf(header))
    expect(Object.keys(asked.headers).filter((header) => header.startsWith('webhook-'))).toEqual(named)
    const types = rowsOf(page, 'type', 'type').map(([type]) => wordOf(type))
    expect(types.sort()).toEqual(
      ['cancelled', 'dead', 'delivered', 'expired', 'failed', 'reported', 'unknown'].map(
        (event) => `message.${event}`,
      ),
    )
  })
})
