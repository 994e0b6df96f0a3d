import { createHash, timingSafeEqual } from 'node:crypto'
import { sha256 } from '../lib/sha256.js'

/** SHA-1 in hex over the parts, sorted and joined without a separator (WeChat: 消息推送). */
export function sign(...parts: string[]): string {
  return createHash('sha1').update(parts.sort().join('')).digest('hex')
}

/** Whether `given` is the signature of the parts. The time taken does not reveal how much of it is right. */
export function isSignedBy(given: string, ...parts: string[]): boolean {
  return timingSafeEqual(sha256(given), sha256(sign(...parts)))
}
