import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ServiceError } from '../errors.js'
import { isoTime } from '../lib/iso-time.js'
import type { Logger } from '../lib/logger.js'
import type { UserId } from '../lib/user-id.js'
import type { ApiKey, Keyring, Scope } from './api-keys.js'
import { addressOf, type Failures } from './failures.js'
import { createExpiryNotice, isExpired } from './key-expiry.js'
import type { Limit } from './limits.js'

/** Who calls: a backend with an API key, trusted to speak for every user of its accounts, or one user with a session. */
export type Caller =
  | { kind: 'backend'; name: string; appIds: ApiKey['appIds'] }
  | { kind: 'session'; appId: string; openId: string; userId: UserId }

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by a hook of Callers. */
    caller: Caller | undefined
    /** The name that the request is counted under: of an API key with its accounts, or the person of a session. */
    countedFor: string
  }
}

/** A route's onRequest: the caller is identified before the body is read. */
export type CallerHook = (request: FastifyRequest) => Promise<void>

/** Which callers a route is for; a key needs the scope. Whose account the call is about is checked by accountOf. */
export interface Callers {
  /** Throws `unauthorized`, `forbidden` for a session and a key without the scope, `too_many_requests`. */
  backend(scope: Scope): CallerHook
  /**
   * Throws `unauthorized`, `forbidden` for a key without the scope, `user_not_bound` for a session whose open_id has no
   * user, `too_many_requests`.
   */
  backendOrSession(scope: Scope): CallerHook
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
    keys: Keyring
    sessions: SessionCheck | undefined
    keyLimit: Limit
    sessionLimit: Limit
    failures: Failures
    log: Logger
    now(): number
  },
): Callers {
  const tellExpiry = createExpiryNotice(deps.log)
  const knownPlaces = createKnownPlaces()
  app.decorateRequest('caller', undefined)
  app.decorateRequest('countedFor', '')

  async function isBackend(request: FastifyRequest, credential: string, scope: Scope): Promise<boolean> {
    const key = deps.keys.find(credential)
    // Where many keys were wrong, a right key gets the same answer, or guessing would go on. A key that was
    // good from this address before goes on working: its owner may share the address with the guesser.
    const isKnown = key !== undefined && knownPlaces.has(request, key.name)
    if (!isKnown && (!deps.sessions || !looksLikeToken(credential))) deps.failures.check(request)
    if (key === undefined) return false
    refuseExpired(request, key)
    tellExpiry(key, deps.now())
    if (!isKnown) knownPlaces.add(request, key.name)
    request.caller = { kind: 'backend', name: key.name, appIds: key.appIds }
    // Backends of two accounts may have the same name; a key and its successor are of one backend.
    request.countedFor = `${key.name} of ${key.appIds}`
    await deps.keyLimit(request)
    if (!key.scopes.includes(scope))
      throw new ServiceError(
        'forbidden',
        `The API key "${key.name}" may not do this: it needs the scope "${scope}"`,
        { scope },
      )
    return true
  }

  function refuseExpired(request: FastifyRequest, key: ApiKey): void {
    if (!isExpired(key, deps.now())) return
    deps.failures.count(request, 'expired_key')
    throw new ServiceError(
      'unauthorized',
      `This API key of "${key.name}" expired at ${isoTime(key.expiresAt)}: use the one that replaces it`,
    )
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
    backend: (scope) => async (request) => {
      const { bearer, key } = credentialsOf(request)
      if (await isBackend(request, bearer ?? key, scope)) return
      if (bearer !== undefined && deps.sessions && looksLikeToken(bearer)) {
        await verifyToken(request, bearer, deps.sessions)
        throw new ServiceError(
          'forbidden',
          'A session may not do this: call it from your backend, with an API key',
        )
      }
      refuse(request)
    },
    backendOrSession: (scope) => async (request) => {
      const { bearer, key } = credentialsOf(request)
      if (await isBackend(request, bearer ?? key, scope)) return
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
  return new ServiceError('unauthorized', `Send an API key as "Authorization: Bearer KEY"${session}`)
}
