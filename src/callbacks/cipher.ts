import { createCipheriv, createDecipheriv, timingSafeEqual } from 'node:crypto'
import { sha256 } from '../lib/sha256.js'

/**
 * WeChat's message encryption (消息加解密说明): AES-256-CBC, the first half of the key as IV, and inside it 16 random
 * bytes, the length of the message in 4 bytes, the message, the app_id, and PKCS#7 padding to blocks of 32 bytes.
 */
const ALGORITHM = 'aes-256-cbc'
const RANDOM_BYTES = 16
const LENGTH_BYTES = 4
const AES_BLOCK = 16
const PADDING_BLOCK = 32

/** `cipher`: wrong key, or not what WeChat sends. `app_id`: intact, but meant for another account. */
export type Decrypted = { ok: true; message: string } | { ok: false; reason: 'cipher' | 'app_id' }

/**
 * The key of an EncodingAESKey, which is base64 of 32 bytes without its last `=`. Its last character has two
 * surplus bits, which need not be 0: a strict decoder refuses some keys that WeChat issues.
 */
export function decodeAesKey(encodingAesKey: string): Buffer {
  return Buffer.from(`${encodingAesKey}=`, 'base64')
}

/** Strict: an attacker could change what a lenient decoder skips without a text comparison noticing. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/**
 * Every fault takes the same work to find: otherwise somebody who knows the token could tell wrong padding
 * from a wrong app_id by the time taken, and decrypt or forge byte by byte.
 */
export function decrypt(key: Buffer, encrypted: string, appId: string): Decrypted {
  const bytes = BASE64.test(encrypted) ? Buffer.from(encrypted, 'base64') : Buffer.alloc(0)
  if (bytes.length === 0 || bytes.length % AES_BLOCK !== 0) return { ok: false, reason: 'cipher' }
  const decipher = createDecipheriv(ALGORITHM, key, key.subarray(0, AES_BLOCK))
  // OpenSSL's own unpadding accepts at most 16, and WeChat pads up to 32.
  decipher.setAutoPadding(false)
  const padded = Buffer.concat([decipher.update(bytes), decipher.final()])
  const pad = padded.at(-1) ?? 0
  const begin = RANDOM_BYTES + LENGTH_BYTES
  const contentEnd = padded.length - pad
  const end = begin + (padded.length < begin ? 0 : padded.readUInt32BE(RANDOM_BYTES))
  const isWhole = [isPadded(padded, pad), contentEnd >= begin, end <= contentEnd].every(Boolean)
  const isOurs = timingSafeEqual(sha256(padded.subarray(end, contentEnd)), sha256(Buffer.from(appId)))
  const message = padded.toString('utf8', begin, end)
  if (!isWhole) return { ok: false, reason: 'cipher' }
  return isOurs ? { ok: true, message } : { ok: false, reason: 'app_id' }
}

/** Looks at the same number of bytes whatever they are. */
function isPadded(padded: Buffer, pad: number): boolean {
  let wrong = Number(pad < 1) | Number(pad > PADDING_BLOCK) | Number(pad > padded.length)
  for (let i = 1; i <= PADDING_BLOCK; i++) wrong |= Number(i <= pad) & Number(padded.at(-i) !== pad)
  return wrong === 0
}

/** What WeChat does, for the self-test and the sandbox. `random` is 16 bytes. */
export function encrypt(key: Buffer, message: string, appId: string, random: Buffer): string {
  const text = Buffer.from(message)
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUInt32BE(text.length)
  const content = Buffer.concat([random, length, text, Buffer.from(appId)])
  const pad = PADDING_BLOCK - (content.length % PADDING_BLOCK)
  const cipher = createCipheriv(ALGORITHM, key, key.subarray(0, AES_BLOCK))
  cipher.setAutoPadding(false)
  return Buffer.concat([
    cipher.update(Buffer.concat([content, Buffer.alloc(pad, pad)])),
    cipher.final(),
  ]).toString('base64')
}
