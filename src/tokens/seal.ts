import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

/**
 * Seals texts of one account with AES-256-GCM. What is sealed names its format and its key; the account is
 * authenticated with it, so that nobody can put the token of one account in the place of another's.
 */
export interface Seal {
  /** By the newest key. */
  seal(text: string): string
  /** undefined: sealed with a key that is not here, or changed since. A text that was never sealed is its own. */
  open(stored: string): string | undefined
  /** Whether the newest key sealed it. */
  isCurrent(stored: string): boolean
}

const FORMAT = 'sealed1'
const CIPHER = 'aes-256-gcm'
/** NIST SP 800-38D: 96 bits, random; two hours a token, so no key comes near the 2^32 seals that this bears. */
const IV_BYTES = 12
const TAG_BYTES = 16
const KEY_ID_CHARS = 8

interface Key {
  id: string
  bytes: Buffer
}

/** Without a secret, texts are stored as they are, and those that are sealed cannot be opened. The first one seals. */
export function createSeal(secrets: readonly string[], appId: string): Seal {
  const keys = secrets.map(keyOf)
  const [newest] = keys
  return {
    seal(text) {
      if (!newest) return text
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv(CIPHER, newest.bytes, iv).setAAD(Buffer.from(appId))
      const sealed = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return [FORMAT, newest.id, sealed.toString('base64url')].join('.')
    },
    open(stored) {
      const [format, id, body = ''] = stored.split('.')
      if (format !== FORMAT) return stored
      const key = keys.find((one) => one.id === id)
      return key && openWith(key, Buffer.from(body, 'base64url'), appId)
    },
    isCurrent: (stored) =>
      newest === undefined ? !stored.startsWith(`${FORMAT}.`) : stored.startsWith(`${FORMAT}.${newest.id}.`),
  }
}

function openWith({ bytes }: Key, sealed: Buffer, appId: string): string | undefined {
  if (sealed.length < IV_BYTES + TAG_BYTES) return undefined
  const decipher = createDecipheriv(CIPHER, bytes, sealed.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(appId)).setAuthTag(sealed.subarray(-TAG_BYTES))
  try {
    const text = decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES))
    return Buffer.concat([text, decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}

/** HKDF (RFC 5869) makes a key of 32 bytes, and a name that tells nothing of it, of any long random text. */
function keyOf(secret: string): Key {
  const derive = (use: string, length: number) => Buffer.from(hkdfSync('sha256', secret, '', use, length))
  return {
    id: derive('name of the key', KEY_ID_CHARS).toString('base64url').slice(0, KEY_ID_CHARS),
    bytes: derive('access tokens at rest', 32),
  }
}
