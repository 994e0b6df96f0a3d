import { errors, jwtVerify, SignJWT } from 'jose'
import { ServiceError } from '../errors.js'
import { DAY_MS } from '../lib/durations.js'

/** Logging in again takes no action by the user, so a token need not outlive a week without a visit. */
export const SESSION_LIFETIME_MS = 7 * DAY_MS
const ISSUER = 'sign-in-reminder'
const ALGORITHM = 'HS256'

/** Whom a token names. */
export interface Holder {
  appId: string
  openId: string
}

export interface SessionTokens {
  /** A token that names its holder: sub = open_id, aud = app_id. */
  issue(holder: Holder, now: number): Promise<{ token: string; expiresAt: number }>
  /** The holder of a token that is ours, of an account that is served here, and still valid. Throws `unauthorized`. */
  verify(token: string, now: number): Promise<Holder>
}

/**
 * Signs with the first secret and accepts any of them, so that a secret can be replaced while tokens of the
 * old one live.
 */
export function createSessionTokens({
  isServed,
  secrets,
}: {
  isServed(appId: string): boolean
  secrets: readonly [string, ...string[]]
}): SessionTokens {
  const keys = secrets.map((secret) => new TextEncoder().encode(secret))
  const [newest] = keys

  async function holderOf(token: string, key: Uint8Array, now: number): Promise<Holder | undefined> {
    const { payload } = await jwtVerify(token, key, {
      // Pinned: a token must not choose how it is verified.
      algorithms: [ALGORITHM],
      issuer: ISSUER,
      requiredClaims: ['sub', 'aud', 'exp'],
      currentDate: new Date(now),
    })
    const { aud: appId, sub: openId } = payload
    // jose checks that they are present, not that they are strings.
    if (typeof appId !== 'string' || typeof openId !== 'string') return undefined
    return isServed(appId) ? { appId, openId } : undefined
  }

  return {
    async issue({ appId, openId }, now) {
      // A token holds whole seconds.
      const expiresAt = Math.floor((now + SESSION_LIFETIME_MS) / 1_000) * 1_000
      const token = await new SignJWT()
        .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
        .setIssuer(ISSUER)
        .setAudience(appId)
        .setSubject(openId)
        .setIssuedAt(new Date(now))
        .setExpirationTime(new Date(expiresAt))
        .sign(newest as Uint8Array)
      return { token, expiresAt }
    },
    async verify(token, now) {
      for (const key of keys) {
        try {
          const holder = await holderOf(token, key, now)
          if (holder) return holder
        } catch (error) {
          if (error instanceof errors.JWTExpired)
            throw new ServiceError(
              'unauthorized',
              'The session has ended: log in again with POST /v1/sessions',
            )
          if (!(error instanceof errors.JOSEError)) throw error
        }
      }
      throw new ServiceError(
        'unauthorized',
        'This is not a session of this service: log in with POST /v1/sessions',
      )
    },
  }
}
