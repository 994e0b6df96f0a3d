/** What a sandbox keeps at most, so that it can run for weeks. Of each the oldest go first. */
export interface Bounds {
  /** In the ledger. */
  deliveries: number
  formIds: number
  /** Codes of wx.login, used ones too. */
  loginCodes: number
  /** Access tokens, dead ones too; a forgotten one is answered 40001. */
  tokens: number
  /** In the record of pushes, and of those that wait to be sent by hand. */
  pushes: number
}

/** With all of them full, about half a gigabyte. */
export const BOUNDS: Bounds = {
  deliveries: 500_000,
  formIds: 1_000_000,
  loginCodes: 100_000,
  tokens: 10_000,
  pushes: 10_000,
}

/** A map keeps insertion order, so the oldest are in front. */
export function forgetOldest(map: Map<unknown, unknown>, kept: number): void {
  for (const key of map.keys()) {
    if (map.size <= kept) return
    map.delete(key)
  }
}
