import { createCipheriv, createDecipheriv } from 'node:crypto'

/**
 * WeChat's message encryption (消息加解密说明): AES-256-CBC, the first half of the key as IV, and inside it 16 random
 * bytes, the length of the message in 4 bytes, the message, the app_id, and PKCS#7 padding to blocks of 32 bytes.
 */
const ALGORITHM = 'aes-256-cbc'
const RANDOM_BYTES = 16
const LENGTH_BYTES = 4
const AES_BLOCK = 16
const PADDING_BLOCK = 32

/** `cipher`: wrong key, or not what WeChat sends. `app_id`: whole, and meant for another account. */
export type Decrypted = { ok: true; message: string } | { ok: false; reason: 'cipher' | 'app_id' }

/**
 * Key of an EncodingAESKey, which is base64 of 32 bytes without its last `=`. Its last character has two bits too many,
 * which need not be 0: a strict decoder refuses keys that WeChat gives.
 */
export function decodeAesKey(encodingAesKey: string): Buffer {
  return Buffer.from(`${encodingAesKey}=`, 'base64')
}

export function decrypt(key: Buffer, encrypted: string, appId: string): Decrypted {
  const bytes = Buffer.from(encrypted, 'base64')
  if (bytes.length === 0 || bytes.length % AES_BLOCK !== 0) return { ok: false, reason: 'cipher' }
  const decipher = createDecipheriv(ALGORITHM, key, key.subarray(0, AES_BLOCK))
  // OpenSSL's own unpadding takes at most 16, and WeChat pads up to 32.
  decipher.setAutoPadding(false)
  const content = unpad(Buffer.concat([decipher.update(bytes), decipher.final()]))
  const begin = RANDOM_BYTES + LENGTH_BYTES
  if (!content || content.length < begin) return { ok: false, reason: 'cipher' }
  const end = begin + content.readUInt32BE(RANDOM_BYTES)
  if (end > content.length) return { ok: false, reason: 'cipher' }
  if (content.toString('utf8', end) !== appId) return { ok: false, reason: 'app_id' }
  return { ok: true, message: content.toString('utf8', begin, end) }
}

function unpad(padded: Buffer): Buffer | undefined {
  const pad = padded.at(-1) ?? 0
  if (pad < 1 || pad > PADDING_BLOCK || pad > padded.length) return undefined
  const end = padded.length - pad
  return padded.subarray(end).every((byte) => byte === pad) ? padded.subarray(0, end) : undefined
}

/** What WeChat does, for the self-test and the sandbox. `random` has 16 bytes. */
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
