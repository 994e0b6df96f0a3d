import type { Knex } from 'knex'
import type { Logger } from '../lib/logger.js'
import { openRedisLink } from './redis-link.js'
import { createRedisStore } from './redis-store.js'
import { createSeal } from './seal.js'
import { createSealedStore } from './sealed-store.js'
import { createTableStore } from './table-store.js'
import type { TokenStore } from './token-store.js'

/** Opens the place where an account's token is kept: the table, with Redis in front where there is one, and sealed. */
export function openTokenStore(options: {
  db: Knex
  appId: string
  /** undefined: the table alone. */
  redisUrl: string | undefined
  /** The first seals, any opens; none = tokens are stored as they are. */
  tokenKeys: readonly string[]
  log: Logger
}): { store: TokenStore; close(): void } {
  const { db, appId, redisUrl, tokenKeys, log } = options
  const table = createTableStore(db, appId)
  const link = redisUrl === undefined ? undefined : openRedisLink({ redisUrl, appId, log })
  const kept = link ? createRedisStore(table, link.ask) : table
  return {
    store: createSealedStore(kept, createSeal(tokenKeys, appId), { appId, log }),
    close: () => link?.close(),
  }
}
