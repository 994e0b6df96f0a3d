import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { ApiKey } from '../config.js'
import { ServiceError } from '../errors.js'

/** Checks `Authorization: Bearer KEY` or `X-API-Key: KEY` and answers the name of the key. Throws `unauthorized`. */
export type Authenticate = (request: FastifyRequest) => string

/**
 * Compares with every key, by hashes of equal length, so that the time taken tells nothing about how much of a key was
 * guessed, nor of which one.
 */
export function createAuthenticate(keys: ApiKey[]): Authenticate {
  const known = keys.map(({ name, key }) => ({ name, hash: sha256(key) }))
  return (request) => {
    const given = sha256(givenKey(request))
    let caller: string | undefined
    for (const { name, hash } of known) if (timingSafeEqual(hash, given)) caller = name
    if (caller === undefined) {
      throw new ServiceError('unauthorized', 'Send a key of API_KEYS as "Authorization: Bearer KEY"')
    }
    return caller
  }
}

function givenKey({ headers }: FastifyRequest): string {
  const bearer = /^Bearer\s+(\S+)\s*$/i.exec(headers.authorization ?? '')?.[1]
  const header = headers['x-api-key']
  return bearer ?? (typeof header === 'string' ? header : '')
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
