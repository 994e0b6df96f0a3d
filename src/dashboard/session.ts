import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { errors, jwtVerify, SignJWT } from 'jose'
import { HOUR_MS } from '../lib/durations.js'
import { deriveKey } from '../lib/password-hash.js'
import { sha256 } from '../lib/sha256.js'

/** A working day. */
export const SIGNED_IN_MS = 12 * HOUR_MS

const ISSUER = 'sign-in-reminder-dashboard'
const AUDIENCE = 'operators'
const ALGORITHM = 'HS256'

/** An operator who has signed in. */
export interface Operator {
  /** As given at the sign-in. */
  name: string
  /** Of this sign-in. */
  id: string
  /** ms */
  endsAt: number
}

export interface OperatorSessions {
  issue(name: string, id: string, now: number): Promise<string>
  /** undefined: not ours, or over, or signed in with another password. */
  verify(token: string, now: number): Promise<Operator | undefined>
  /** What the forms of a visit carry. No other site can know it. */
  formToken(visit: string): string
  /** Compares in a time that says nothing about them. */
  isSameToken(given: string, known: string): boolean
}

/**
 * Sessions that any process with the same password can check, and that end when it changes: nothing is stored, and
 * the keys come from the password. They are of no account: accounts come, go and change places while somebody is signed
 * in. Without a password nobody signs in, and only this process knows the keys.
 */
export async function openSessions(adminPassword: string | undefined): Promise<OperatorSessions> {
  // What is random cannot be guessed, and needs no slow derivation.
  const secret = adminPassword === undefined ? randomBytes(32) : await deriveKey(adminPassword, 'dashboard')
  const keyFor = (purpose: string) => createHmac('sha256', secret).update(purpose).digest()
  const [key, formKey] = [keyFor('session'), keyFor('form')]

  return {
    issue: (name, id, now) =>
      new SignJWT({ name })
        .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setJti(id)
        .setExpirationTime(new Date(now + SIGNED_IN_MS))
        .sign(key),
    async verify(token, now) {
      try {
        const { payload } = await jwtVerify<{ name: unknown }>(token, key, {
          algorithms: [ALGORITHM],
          issuer: ISSUER,
          audience: AUDIENCE,
          requiredClaims: ['jti', 'exp'],
          currentDate: new Date(now),
        })
        const { name, jti, exp } = payload
        if (typeof name !== 'string' || typeof jti !== 'string' || typeof exp !== 'number') return undefined
        return { name, id: jti, endsAt: exp * 1_000 }
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined
        throw error
      }
    },
    formToken: (visit) => createHmac('sha256', formKey).update(visit).digest('base64url'),
    isSameToken: (given, known) => timingSafeEqual(sha256(given), sha256(known)),
  }
}
