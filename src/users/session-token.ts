import { errors, jwtVerify, SignJWT } from 'jose'
import { ServiceError } from '../errors.js'
import { DAY_MS } from '../lib/durations.js'

/** Logging in again takes no action by the user, so a token need not outlive a week without a visit. */
export const SESSION_LIFETIME_MS = 7 * DAY_MS
const ISSUER = 'sign-in-reminder'
const ALGORITHM = 'HS256'

export interface SessionTokens {
  /** A token that names its holder: sub = open_id, aud = app_id. */
  issue(openId: string, now: number): Promise<{ token: string; expiresAt: number }>
  /** The open_id of a token that is ours, for this app and still valid. Throws `unauthorized`. */
  verify(token: string, now: number): Promise<string>
}

/**
 * Signs with the first secret and accepts any of them, so that a secret can be replaced while tokens of the
 * old one live.
 */
export function createSessionTokens({
  appId,
  secrets,
}: {
  appId: string
  secrets: readonly [string, ...string[]]
}): SessionTokens {
  const keys = secrets.map((secret) => new TextEncoder().encode(secret))
  const [newest] = keys

  async function openIdOf(token: string, key: Uint8Array, now: number): Promise<string | undefined> {
    const { payload } = await jwtVerify(token, key, {
      // Pinned: a token must not choose how it is verified.
      algorithms: [ALGORITHM],
      issuer: ISSUER,
      audience: appId,
      requiredClaims: ['sub', 'exp'],
      currentDate: new Date(now),
    })
    // jose checks that it is present, not that it is a string.
    return typeof payload.sub === 'string' ? payload.sub : undefined
  }

  return {
    async issue(openId, now) {
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
          const openId = await openIdOf(token, key, now)
          if (openId !== undefined) return openId
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
