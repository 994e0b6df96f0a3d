import { timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ServiceError } from '../errors.js'
import { sha256 } from '../lib/sha256.js'
import type { UserId } from '../lib/user-id.js'
import { addressOf, type Failures } from './failures.js'
import type { Limit } from './limits.js'

export interface ApiKey {
  name: string
  key: string
}

/** Who calls: a backend with an API key, trusted to speak for every user, or one user with a session. */
export type Caller =
  | { kind: 'backend'; name: string }
  | { kind: 'session'; appId: string; openId: string; userId: UserId }

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by a hook of Callers. */
    caller: Caller | undefined
    /** The name that the request is counted under: of an API key, or the person of a session. */
    countedFor: string
  }
}

/** For a route's onRequest: the caller is identified before the body is read. */
export interface Callers {
  /** Throws `unauthorized`, `forbidden` for a session, `too_many_requests`. */
  backend(request: FastifyRequest): Promise<void>
  /** Throws `unauthorized`, `user_not_bound` for a session whose open_id has no user, `too_many_requests`. */
  backendOrSession(request: FastifyRequest): Promise<void>
}

/** The person that a session is of. */
interface Holder {
  appId: string
  openId: string
}

/** What sessions need; undefined where they are off. */
export interface SessionCheck {
  /** Whom a session token names. Throws `unauthorized`. */
  verify(token: string): Promise<Holder>
  /** Throws `unauthorized` for a person who was erased. */
  findUser(holder: Holder): Promise<UserId | undefined>
}

export function createCallers(
  app: FastifyInstance,
  deps: {
    apiKeys: ApiKey[]
    sessions: SessionCheck | undefined
    keyLimit: Limit
    sessionLimit: Limit
    failures: Failures
  },
): Callers {
  const nameOfKey = createKeyCheck(deps.apiKeys)
  const knownPlaces = createKnownPlaces()
  app.decorateRequest('caller', undefined)
  app.decorateRequest('countedFor', '')

  async function isBackend(request: FastifyRequest, credential: string): Promise<boolean> {
    const name = nameOfKey(credential)
    // Where many keys were wrong, a right key gets the same answer, or guessing would go on. A key that was
    // good from this address before goes on working: its owner may share the address with the guesser.
    const isKnown = name !== undefined && knownPlaces.has(request, name)
    if (!isKnown && (!deps.sessions || !looksLikeToken(credential))) deps.failures.check(request)
    if (name === undefined) return false
    if (!isKnown) knownPlaces.add(request, name)
    request.caller = { kind: 'backend', name }
    request.countedFor = name
    await deps.keyLimit(request)
    return true
  }

  function refuse(request: FastifyRequest): never {
    deps.failures.count(request, 'key')
    throw unauthorized(deps.sessions)
  }

  /**
   * Nobody guesses 256 bits: a good session is accepted from any address, and only wrong ones are counted.
   */
  async function verifyToken(
    request: FastifyRequest,
    token: string,
    sessions: SessionCheck,
  ): Promise<Holder> {
    try {
      return await sessions.verify(token)
    } catch (error) {
      deps.failures.check(request)
      deps.failures.count(request, 'session')
      throw error
    }
  }

  async function identifySession(request: FastifyRequest, token: string, sessions: SessionCheck) {
    const holder = await verifyToken(request, token, sessions)
    request.countedFor = `${holder.appId} ${holder.openId}`
    await deps.sessionLimit(request)
    const userId = await sessions.findUser(holder)
    if (userId === undefined) {
      throw new ServiceError(
        'user_not_bound',
        'This open_id has no user yet: let your backend bind it (PUT /v1/users), then send this again; the session stays valid',
      )
    }
    request.caller = { kind: 'session', ...holder, userId }
  }

  return {
    async backend(request) {
      const { bearer, key } = credentialsOf(request)
      if (await isBackend(request, bearer ?? key)) return
      if (bearer !== undefined && deps.sessions && looksLikeToken(bearer)) {
        await verifyToken(request, bearer, deps.sessions)
        throw new ServiceError(
          'forbidden',
          'A session may not do this: call it from your backend, with an API key',
        )
      }
      refuse(request)
    },
    async backendOrSession(request) {
      const { bearer, key } = credentialsOf(request)
      if (await isBackend(request, bearer ?? key)) return
      if (bearer === undefined || !deps.sessions || !looksLikeToken(bearer)) return refuse(request)
      await identifySession(request, bearer, deps.sessions)
    },
  }
}

/** Who a request comes from. For handlers behind a hook of Callers. */
export function callerOf(request: FastifyRequest): Caller {
  if (!request.caller)
    throw new Error(`${request.routeOptions.url} needs to know the caller, but no hook has identified it`)
  return request.caller
}

/** `Authorization: Bearer KEY-OR-TOKEN`, or `X-API-Key: KEY`. */
function credentialsOf({ headers }: FastifyRequest): { bearer: string | undefined; key: string } {
  const bearer = /^Bearer\s+(\S+)\s*$/i.exec(headers.authorization ?? '')?.[1]
  const header = headers['x-api-key']
  return { bearer, key: typeof header === 'string' ? header : '' }
}

const MAX_PLACES = 10_000

/**
 * Which key was good from which address, in this process. Beyond the maximum, the oldest entry is forgotten.
 */
function createKnownPlaces() {
  const places = new Set<string>()
  const placeOf = (request: FastifyRequest, name: string) => `${addressOf(request)} ${name}`
  return {
    has: (request: FastifyRequest, name: string) => places.has(placeOf(request, name)),
    add(request: FastifyRequest, name: string): void {
      places.add(placeOf(request, name))
      const [first] = places
      if (places.size > MAX_PLACES && first !== undefined) places.delete(first)
    },
  }
}

/** Three parts in base64url. Somebody who mistyped an API key is told about keys, not about sessions. */
const looksLikeToken = (text: string) => /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text)

function unauthorized(sessions: SessionCheck | undefined): ServiceError {
  const session = sessions ? ', or a session token of POST /v1/sessions as "Authorization: Bearer TOKEN"' : ''
  return new ServiceError('unauthorized', `Send a key of API_KEYS as "Authorization: Bearer KEY"${session}`)
}

/**
 * Returns the name of a key. Compares with every key, by hashes of equal length, so that the time taken
 * reveals neither how much of a key was guessed nor which key.
 */
function createKeyCheck(keys: ApiKey[]): (text: string) => string | undefined {
  const known = keys.map(({ name, key }) => ({ name, hash: sha256(key) }))
  return (text) => {
    const given = sha256(text)
    let found: string | undefined
    for (const { name, hash } of known) if (timingSafeEqual(hash, given)) found = name
    return found
  }
}
