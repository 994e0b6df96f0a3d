/** A stored token. Its times are durations by the store's own clock, so that no process's clock matters. */
export interface StoredToken {
  token: string | null
  /** Until it expires; negative afterwards. */
  remainingMs: number
  /** From the refresh to the end. */
  lifetimeMs: number
  /** Counts refreshes; a change is written only over the version that was read. */
  version: number
  leaseOwner: string | null
  /** Until the refresher's lease lapses; zero or less: free. */
  leaseLeftMs: number
}

/** A new token, and the version that it replaces. */
export interface FreshToken {
  version: number
  token: string
  expiresInMs: number
}

/** Where the processes of an account keep their token, and agree which of them fetches the next one. */
export interface TokenStore {
  read(): Promise<StoredToken | undefined>
  /** The first lease of an account creates its row. False: another process has just created it. */
  insertLeased(owner: string, leaseMs: number): Promise<boolean>
  /** Takes the lease if it is free and the token is still the one of `version`. */
  takeLease(owner: string, version: number, leaseMs: number): Promise<boolean>
  /** False: the lease had lapsed and now belongs to another process. */
  extendLease(owner: string, leaseMs: number): Promise<boolean>
  /** Writes the new token and ends the lease. False: the lease had lapsed and another process went ahead. */
  storeToken(owner: string, fresh: FreshToken): Promise<boolean>
  releaseLease(owner: string): Promise<void>
  /** Puts another text in place of a token that has not changed meanwhile: the same one, sealed with another key. */
  replaceText(change: { version: number; from: string; to: string }): Promise<void>
}
