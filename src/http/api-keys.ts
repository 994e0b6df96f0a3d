import { timingSafeEqual } from 'node:crypto'
import { sha256 } from '../lib/sha256.js'

/**
 * What a key may do: report what users did (permits, sign-ins, bindings), send messages and cancel them, read, and what
 * concerns a user for good (opt-outs, erasure).
 */
export const SCOPES = ['upload', 'send', 'read', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

/** A key of a backend. The key itself is not kept. */
export interface ApiKey {
  /** Of the backend; two keys may have it while one replaces the other. */
  name: string
  /** SHA-256 of the key. */
  hash: Buffer
  /** The accounts that it may speak for. */
  appIds: readonly string[] | 'all'
  scopes: readonly Scope[]
  /** In ms; from then on it is refused. undefined = never. */
  expiresAt: number | undefined
}

/** As ACCOUNTS_FILE has it. A plain hash will do: nobody tries out 128 random bits. */
export function hashOfKey(key: string): string {
  return `sha256:${sha256(key).toString('hex')}`
}

/** The keys of a process, which may be exchanged while it runs. */
export interface Keyring {
  /** The key with that text, expired or not. */
  find(text: string): ApiKey | undefined
  replace(keys: readonly ApiKey[]): void
}

/** A key as API_KEYS has it: for every account and every scope. */
export function unboundKey({ name, key }: { name: string; key: string }): ApiKey {
  return { name, hash: sha256(key), appIds: 'all', scopes: SCOPES, expiresAt: undefined }
}

/**
 * Compares with every key, by hashes of equal length, so that the time taken reveals neither how much of a key was
 * guessed nor which key.
 */
export function createKeyring(keys: readonly ApiKey[]): Keyring {
  let known = keys
  return {
    find(text) {
      const given = sha256(text)
      let found: ApiKey | undefined
      for (const key of known) if (timingSafeEqual(key.hash, given)) found = key
      return found
    },
    replace(keys) {
      known = keys
    },
  }
}
