import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { sha256 } from './sha256.js'

const scryptAsync = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt)

/** A password as it is stored: `scrypt$N$r$p$salt$hash`, salt and hash in base64url. */
export interface PasswordHash {
  N: number
  r: number
  p: number
  salt: Buffer
  hash: Buffer
}

/** 32 MB and some 80 ms for each guess. */
const COST = { N: 2 ** 15, r: 8, p: 1 }
/** 256 MB: a hash that took more could be used to exhaust the machine. */
const MAX_MEMORY = 256 * 1024 ** 2
const HASH_BYTES = 32
const SALT_BYTES = 16

/** Whether the text is meant as a hash, and not as a password. */
export function looksLikeHash(text: string): boolean {
  return text.startsWith('scrypt$')
}

/** Reads `scrypt$N$r$p$salt$hash`. Throws for anything else; the message contains nothing of it. */
export function parsePasswordHash(text: string): PasswordHash {
  const [, N = '', r = '', p = '', salt = '', hash = ''] =
    /^scrypt\$(\d{1,7})\$(\d{1,2})\$(\d{1,2})\$([\w-]{16,128})\$([\w-]{43,128})$/.exec(text) ?? []
  const parsed = { N: Number(N), r: Number(r), p: Number(p) }
  const isPowerOfTwo = Number.isInteger(Math.log2(parsed.N)) && parsed.N >= 2 ** 14
  if (!isPowerOfTwo || parsed.r < 1 || parsed.p < 1 || memoryOf(parsed) > MAX_MEMORY)
    throw new Error('is not a hash of this service: make one with "npm run -s cli -- hash-password"')
  return { ...parsed, salt: Buffer.from(salt, 'base64url'), hash: Buffer.from(hash, 'base64url') }
}

/** Makes a hash to store in place of the password. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const hash = await derive(password, salt, COST, HASH_BYTES)
  const { N, r, p } = COST
  return ['scrypt', N, r, p, salt.toString('base64url'), hash.toString('base64url')].join('$')
}

/** Compares in a time that says nothing about the password. Takes some 80 ms of another thread. */
export async function matchesHash(given: string, stored: PasswordHash): Promise<boolean> {
  return timingSafeEqual(await derive(given, stored.salt, stored, stored.hash.length), stored.hash)
}

/** The same for a password that is stored as it is. */
export function matchesPassword(given: string, password: string): boolean {
  return timingSafeEqual(sha256(given), sha256(password))
}

/** Derives key material from a secret, slowly: whoever has something signed with it cannot try passwords quickly. */
export function deriveKey(secret: string, purpose: string): Promise<Buffer> {
  return derive(secret, Buffer.from(purpose), COST, HASH_BYTES)
}

function derive(
  secret: string,
  salt: Buffer,
  cost: { N: number; r: number; p: number },
  bytes: number,
): Promise<Buffer> {
  const { N, r, p } = cost
  return scryptAsync(secret.normalize('NFKC'), salt, bytes, { N, r, p, maxmem: 2 * memoryOf(cost) })
}

const memoryOf = ({ N, r, p }: { N: number; r: number; p: number }) => 128 * r * (N + p)
