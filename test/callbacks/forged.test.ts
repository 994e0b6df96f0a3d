import { createCipheriv } from 'node:crypto'
import * as wecom from '@wecom/crypto'
import { afterEach, describe, expect, test } from 'vitest'
import { decodeAesKey } from '../../src/callbacks/cipher.js'
import { cutEncrypted } from '../../src/callbacks/parse.js'
import { APP_ID, NOW } from '../helpers/constants.js'
import { compose, eventMessage, type Push, type Sender } from '../helpers/pushes.js'
import { type Answer, startTestService, type TestService } from '../helpers/service.js'
import { calculated } from '../helpers/stopwatch.js'

const SAFE: Sender = {
  appId: APP_ID,
  token: 'TokenOfTheTests2026',
  encodingAesKey: 'u8jzPde0IgxLd6GncfBAepfJBd0Kh8oOOL8dKLzdocJ',
  mode: 'safe',
  format: 'json',
}
const FORGER: Sender = { ...SAFE, token: 'AnotherTokenOfTests' }
const LIMIT = 3

const event = () =>
  eventMessage(SAFE, { name: 'unsubscribe', openId: 'oForgedPushes000000000000000', at: NOW, items: [] })

let service: TestService
let now = NOW
afterEach(() => service.close())

async function start(mode: 'plain' | 'safe', env: Record<string, string> = {}): Promise<void> {
  now = NOW
  service = await startTestService('sqlite', {
    env: {
      WX_CALLBACK_TOKEN: SAFE.token,
      ...(mode === 'safe' ? { WX_ENCODING_AES_KEY: SAFE.encodingAesKey } : {}),
      ...env,
    },
    now: () => now,
  })
}

const send = ({ query, body }: Pick<Push, 'query' | 'body'>, headers = {}): Promise<Answer> =>
  service.request('POST', `/wechat/callback?${new URLSearchParams(query)}`, { body, headers })

/** Whoever knows the token can sign any text. */
function signed(Encrypt: string): Pick<Push, 'query' | 'body'> {
  const { query } = compose(SAFE, event(), now)
  const msg_signature = wecom.getSignature(SAFE.token, query.timestamp ?? '', query.nonce ?? '', Encrypt)
  return { query: { ...query, msg_signature }, body: JSON.stringify({ Encrypt }) }
}

/** Encrypts bytes as they are, padding included. */
function encryptRaw(content: Buffer): string {
  const key = decodeAesKey(SAFE.encodingAesKey)
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false)
  return Buffer.concat([cipher.update(content), cipher.final()]).toString('base64')
}

const encryptedOf = (message: string, appId = APP_ID) =>
  wecom.encrypt(SAFE.encodingAesKey, message, appId) as string

describe('a signed push that cannot be read', () => {
  test('a signed push that cannot be read has one answer, whatever is wrong with it', async () => {
    await start('safe', { RATE_LIMITS: 'refused:unlimited' })
    const whole = encryptedOf(JSON.stringify(event()))
    const texts = {
      'wrong padding': encryptRaw(Buffer.alloc(64, 33)),
      'a wrong app_id': encryptedOf(JSON.stringify(event()), 'wx0000000000000000'),
      'a length beyond the end': encryptRaw(Buffer.alloc(64, 32)),
      'no push inside': encryptedOf('hello'),
      'no MsgType': encryptedOf('{"ToUserName":"x"}'),
      'an event without a name': encryptedOf('{"MsgType":"event"}'),
      'half a block': Buffer.from(whole, 'base64').subarray(0, 40).toString('base64'),
      'base64 that is too short': whole.slice(0, -1),
      'bits too many at its end': `${encryptRaw(Buffer.alloc(32, 33)).slice(0, -2)}B=`,
    }
    const answers = new Map<string, string[]>()
    for (const [name, text] of Object.entries(texts)) {
      const { status, body, headers } = await send(signed(text))
      const answer = JSON.stringify([status, body, headers.get('content-type')])
      answers.set(answer, [...(answers.get(answer) ?? []), name])
    }
    expect([...answers.values()]).toEqual([Object.keys(texts)])
    expect([...answers.keys()][0]).toMatch(/^\[403,.*"reason":"content"/)
    expect(await service.db('wx_callback_event')).toEqual([])
    expect(await service.db('wx_callback_nonce')).toEqual([])
    expect((await send(signed(whole))).text).toBe('success')
  })

  test('tells nothing about its last byte: the padding oracle is shut', { tags: ['long'] }, async () => {
    await start('safe', { RATE_LIMITS: 'refused:unlimited' })
    const cipher = Buffer.from(encryptedOf(JSON.stringify(event())), 'base64')
    // A whole push, so that the length within fits; then a block of our own, and the one to be found out. With one of
    // the 256 its last byte is a padding of 1, and what follows the message is no app_id.
    const target = cipher.subarray(16, 32)
    const answers = new Set<string>()
    for (let guess = 0; guess < 256; guess++) {
      const chosen = Buffer.alloc(16)
      chosen[15] = guess
      const { status, text } = await send(signed(Buffer.concat([cipher, chosen, target]).toString('base64')))
      answers.add(`${status} ${text}`)
    }
    expect(answers.size).toBe(1)
  })

  test('a signed push that cannot be read is refused unread after a few in a minute, from its address alone', async () => {
    await start('safe', { RATE_LIMITS: `refused:${LIMIT}` })
    const broken = encryptRaw(Buffer.alloc(64, 33))
    const statuses = []
    for (let i = 0; i <= LIMIT; i++) statuses.push((await send(signed(broken))).status)
    expect(statuses).toEqual([...Array(LIMIT).fill(403), 429])
    // Not even a right one is read: its answer would be the one that the forger waits for.
    const right = () => compose(SAFE, event(), now)
    expect((await send(right())).status).toBe(429)
    expect((await send(right(), { 'x-forwarded-for': '203.0.113.7' })).text).toBe('success')
    now += 60_000
    expect((await send(right())).text).toBe('success')
  })
})

describe('a forged push', () => {
  test.each(['plain', 'safe'] as const)(
    'a forged push is refused for its signature, whatever its body is: %s',
    async (mode) => {
      await start(mode)
      const { query } = compose({ ...FORGER, mode }, event(), now)
      for (const body of [
        `<xml>${'<a>'.repeat(4_000)}<Encrypt>AAAA</Encrypt>`,
        `{"a":${'['.repeat(8_000)},"Encrypt":"AAAA"`,
        `<!DOCTYPE x [<!ENTITY a "${'a'.repeat(99)}">]><xml><Encrypt><![CDATA[&a;]]></Encrypt></xml>`,
      ]) {
        const answer = await send({ query, body })
        expect(answer.status).toBe(403)
        expect(answer.body).toMatchObject({ error: { details: { reason: 'signature' } } })
      }
    },
  )

  test.each(['plain', 'safe'] as const)(
    'a forged push is no longer looked at after a few in a minute, and WeChat’s own from there still is: %s',
    async (mode) => {
      await start(mode, { RATE_LIMITS: `refused:${LIMIT}` })
      const forged = () => compose({ ...FORGER, mode }, event(), now)
      const statuses = []
      for (let i = 0; i <= LIMIT; i++) statuses.push((await send(forged())).status)
      expect(statuses).toEqual([...Array(LIMIT).fill(403), 429])
      const limited = await send(forged())
      expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0)
      expect((await send(compose({ ...SAFE, mode }, event(), now))).text).toBe('success')
      expect((await send(forged(), { 'x-forwarded-for': '203.0.113.7' })).status).toBe(403)
      now += 60_000
      expect((await send(forged())).status).toBe(403)
    },
  )

  test('counts in the check of the URL too', async () => {
    await start('safe', { RATE_LIMITS: `refused:${LIMIT}` })
    const { query } = compose(FORGER, event(), now)
    const get = () => service.request('GET', `/wechat/callback?${new URLSearchParams(query)}`)
    const statuses = []
    for (let i = 0; i <= LIMIT; i++) statuses.push((await get()).status)
    expect(statuses).toEqual([...Array(LIMIT).fill(403), 429])
  })

  test('a forged push that shifts the border of timestamp and nonce of a right one is refused as reused', async () => {
    await start('plain')
    // Sorted, timestamp and nonce stand side by side, and leading zeros change no timestamp.
    const timestamp = String(NOW / 1000)
    const body = JSON.stringify(event())
    const query = { timestamp, nonce: '00', signature: wecom.getSignature(SAFE.token, timestamp, '00', '') }
    expect((await send({ query, body })).text).toBe('success')
    const shifted = { ...query, timestamp: `0${timestamp}`, nonce: '0' }
    const answer = await send({ query: shifted, body: body.replace('oForged', 'oOthers') })
    expect(answer.status).toBe(403)
    expect(answer.body).toMatchObject({ error: { details: { reason: 'reused' } } })
  })
})

describe('the encrypted text of a body', () => {
  const sender = (format: 'json' | 'xml', mode: 'safe' | 'compatible'): Sender => ({ ...SAFE, format, mode })

  test.each(['json', 'xml'] as const)('the encrypted text of a body is cut out of %s', (format) => {
    for (const mode of ['safe', 'compatible'] as const) {
      const { body, query } = compose(sender(format, mode), event(), NOW)
      const text = cutEncrypted(body)
      expect(wecom.getSignature(SAFE.token, query.timestamp ?? '', query.nonce ?? '', text ?? '')).toBe(
        query.msg_signature,
      )
    }
  })

  test.each([
    ['{"Encrypt" : "a\\/b+=="}', 'a/b+=='],
    ['\ufeff {"Content":"\\"Encrypt\\":\\"no\\"","Encrypt":"yes="}', 'yes='],
    ['<xml><Encrypt>\n<![CDATA[ yes= ]]>\n</Encrypt></xml>', 'yes='],
    ['<xml><Content><![CDATA[<Encrypt>no</Encrypt>]]></Content><Encrypt>yes=</Encrypt></xml>', 'yes='],
    ['{"Encrypt":1}', undefined],
    ['{"Encrypt":"a b"}', undefined],
    ['<xml><Encrypt>a', undefined],
    ['', undefined],
  ])('of %s is %s', (body, text) => {
    expect(cutEncrypted(body)).toBe(text)
  })

  test.each([
    ['blanks', ' '.repeat(2_000_000)],
    ['names', '"Encrypt":"'.repeat(200_000)],
    ['a name and blanks', `{"Encrypt"${' '.repeat(2_000_000)}`],
    ['a long text without its end', `{"Encrypt":"${'a'.repeat(2_000_000)}`],
    ['tags', '<Encrypt>'.repeat(200_000)],
  ])('takes linear time to look for among %s', async (_, body) => {
    expect((await calculated(() => cutEncrypted(body))).ms).toBeLessThan(1_000)
  })
})
