import { isDecodable } from './decodable.js'

export const REDIS_URL_FORMS = 'redis://user:password@host:6379/0, or rediss:// for TLS'

/**
 * Whether a REDIS_URL can be opened, as far as its text tells. Anything after a ? would become options of
 * ioredis.
 */
export function isRedisUrl(text: string): boolean {
  if (!/^rediss?:\/\//.test(text) || !URL.canParse(text)) return false
  const { hostname, username, password, pathname, search, hash } = new URL(text)
  return (
    hostname !== '' &&
    /^(\/\d{0,4})?$/.test(pathname) &&
    search + hash === '' &&
    [username, password].every(isDecodable)
  )
}
