import { createCipheriv } from 'node:crypto'
import * as wecom from '@wecom/crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeAesKey, decrypt, encrypt } from '../../src/callbacks/cipher.js'
import { parsePush } from '../../src/callbacks/parse.js'
import { isSignedBy, sign } from '../../src/callbacks/signature.js'
import { V1, V2, V3, V4, V5, V6, V7, V8 } from './vectors.js'

const KEY = decodeAesKey(V5.encodingAesKey)
const random = (text: string) => Buffer.from(text)

describe('the published signatures', () => {
  test.each([
    ['V1, check of the URL', V1.signature, [V1.token, V1.timestamp, V1.nonce]],
    ['V2, plain push', V2.signature, [V2.token, V2.timestamp, V2.nonce]],
    ['V3, plain signature beside the other', V3.signature, [V3.token, V3.timestamp, V3.nonce]],
    ['V3, safe push', V3.msgSignature, [V3.token, V3.timestamp, V3.nonce, V3.encrypt]],
    ['V4, encrypted reply', V4.msgSignature, [V3.token, V4.timestamp, V4.nonce, V4.encrypt]],
    ['V5', V5.msgSignature, [V5.token, V5.timestamp, V5.nonce, V5.encrypt]],
    ['V6', V6.msgSignature, [V5.token, V6.timestamp, V6.nonce, V6.encrypt]],
    ['V7', V7.msgSignature, [V7.token, V7.timestamp, V7.nonce, V7.encrypt]],
    ['V8', V8.msgSignature, [V8.token, V8.timestamp, V8.nonce, V8.encrypt]],
  ])('%s', (_, signature, parts) => {
    expect(sign(...parts)).toBe(signature)
    expect(isSignedBy(signature, ...parts)).toBe(true)
    const [, ...rest] = parts
    expect(isSignedBy(signature, 'another', ...rest)).toBe(false)
  })

  test('no part of a right one is right, nor one in capitals', () => {
    const parts = [V1.token, V1.timestamp, V1.nonce]
    for (const given of ['', V1.signature.slice(1), `${V1.signature}0`, V1.signature.toUpperCase(), '好']) {
      expect(isSignedBy(given, ...parts), given).toBe(false)
    }
  })
})

describe('the published ciphers', () => {
  test.each([
    ['V3', V3, V3.encrypt, V3.message],
    ['V4', V3, V4.encrypt, V4.message],
    ['V5', V5, V5.encrypt, V5.message],
  ])('%s is decrypted to its text', (_, { encodingAesKey, appId }, encrypted, message) => {
    expect(decrypt(decodeAesKey(encodingAesKey), encrypted, appId)).toEqual({ ok: true, message })
  })

  test.each([
    ['V6', V5, V6],
    ['V7', V7, V7],
  ])(
    '%s is decrypted to XML with its fields',
    (_, { encodingAesKey, appId }, { encrypt: cipher, fields }) => {
      const decrypted = decrypt(decodeAesKey(encodingAesKey), cipher, appId)
      expect(decrypted.ok && { ...parsePush(decrypted.message) }).toMatchObject(fields)
    },
  )

  test.each([
    ['V3', V3, V3.random, V3.message, V3.encrypt],
    ['V4', V3, V4.random, V4.message, V4.encrypt],
    ['V5', V5, V5.random, V5.message, V5.encrypt],
  ])('%s is what we encrypt', (_, { encodingAesKey, appId }, bytes, message, encrypted) => {
    expect(encrypt(decodeAesKey(encodingAesKey), message, appId, random(bytes))).toBe(encrypted)
  })

  test('a key with other unused bits at its end is the same key', () => {
    const key = decodeAesKey(`${V5.encodingAesKey.slice(0, -1)}E`)
    expect(key).toEqual(KEY)
    expect(decrypt(key, V5.encrypt, V5.appId).ok).toBe(true)
  })
})

describe('what is not whole is not decrypted', () => {
  /** Encrypts bytes as they are, padding included. */
  function cipherOf(content: Buffer): string {
    const cipher = createCipheriv('aes-256-cbc', KEY, KEY.subarray(0, 16))
    cipher.setAutoPadding(false)
    return Buffer.concat([cipher.update(content), cipher.final()]).toString('base64')
  }
  function content({ length = 5, pad = 7, padByte = 0, text = 'hello', appId = 'x' }): Buffer {
    const head = Buffer.alloc(20)
    head.writeUInt32BE(length, 16)
    const body = Buffer.concat([head, Buffer.from(text), Buffer.from(appId)])
    const fill = Buffer.alloc(32 - (body.length % 32), padByte || pad)
    fill[fill.length - 1] = pad
    return Buffer.concat([body, fill])
  }
  const reason = (encrypted: string, appId = 'x') => {
    const decrypted = decrypt(KEY, encrypted, appId)
    return decrypted.ok ? 'decrypted' : decrypted.reason
  }

  test('the frame of these tests is right', () => {
    // 16 + 4 + 5 + 1 = 26 bytes, 6 of padding.
    expect(reason(cipherOf(content({ pad: 6 })))).toBe('decrypted')
  })

  test.each([
    ['padding of 0', cipherOf(content({ pad: 0, padByte: 6 }))],
    ['padding of 33', cipherOf(content({ pad: 33, padByte: 6 }))],
    ['padding whose bytes differ', cipherOf(content({ pad: 6, padByte: 5 }))],
    ['a length beyond the end', cipherOf(content({ pad: 6, length: 7 }))],
    ['a length of 4 GB', cipherOf(content({ pad: 6, length: 0xffffffff }))],
    ['nothing but padding', cipherOf(Buffer.alloc(32, 32))],
    ['too short for the length', cipherOf(Buffer.concat([Buffer.alloc(16), Buffer.alloc(16, 16)]))],
    ['half a block', Buffer.from(V5.encrypt, 'base64').subarray(0, 40).toString('base64')],
    ['a block cut off', Buffer.from(V5.encrypt, 'base64').subarray(0, 48).toString('base64')],
    ['nothing', ''],
    ['no base64', '!!!!'],
  ])('%s', (_, encrypted) => {
    expect(reason(encrypted)).toBe('cipher')
  })

  test('a message of another account is told as such', () => {
    expect(reason(V5.encrypt, 'wx-other')).toBe('app_id')
    // What follows a length that is too small is taken for the app_id.
    expect(reason(cipherOf(content({ pad: 6, length: 4 })))).toBe('app_id')
  })

  test('another key opens nothing', () => {
    const other = decodeAesKey(V7.encodingAesKey)
    expect(decrypt(other, V5.encrypt, V5.appId).ok).toBe(false)
  })
})

describe('an independent implementation', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 300 })
  const key = fc.string({
    unit: fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'),
    minLength: 43,
    maxLength: 43,
  })

  test('encrypts what we decrypt, and decrypts what we encrypt', () => {
    fc.assert(
      fc.property(key, text, fc.uint8Array({ minLength: 16, maxLength: 16 }), (aesKey, message, bytes) => {
        const theirs = wecom.encrypt(aesKey, message, V3.appId, Buffer.from(bytes))
        expect(decrypt(decodeAesKey(aesKey), theirs, V3.appId)).toEqual({ ok: true, message })
        const ours = encrypt(decodeAesKey(aesKey), message, V3.appId, Buffer.from(bytes))
        expect(wecom.decrypt(aesKey, ours)).toMatchObject({ message, id: V3.appId })
      }),
    )
  })

  test('signs as we do', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (token, timestamp, nonce, cipher) => {
        expect(sign(token, timestamp, nonce, cipher)).toBe(
          wecom.getSignature(token, timestamp, nonce, cipher),
        )
      }),
    )
  })

  test('whatever is put into the cipher, decrypting it ends without an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.base64String(), (bytes, base64) => {
        for (const encrypted of [Buffer.from(bytes).toString('base64'), base64]) {
          expect(decrypt(KEY, encrypted, V5.appId).ok).toBe(false)
        }
      }),
    )
  })
})
