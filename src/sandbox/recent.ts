/** Remembers values for so long after they were added, and no longer: what is older is forgotten at the next call. */
export class Recent<T> {
  readonly #ms: number
  readonly #entries = new Map<string, { at: number; value: T }>()

  constructor(ms: number) {
    this.#ms = ms
  }

  get size(): number {
    return this.#entries.size
  }

  find(key: string, now: number): T | undefined {
    this.#forget(now)
    return this.#entries.get(key)?.value
  }

  add(key: string, value: T, now: number): void {
    this.#forget(now)
    // Behind all others, where one that was added now belongs.
    this.#entries.delete(key)
    this.#entries.set(key, { at: now, value })
  }

  clear(): void {
    this.#entries.clear()
  }

  /** A map keeps insertion order, so the old ones are in front. */
  #forget(now: number): void {
    for (const [key, { at }] of this.#entries) {
      if (at > now - this.#ms) return
      this.#entries.delete(key)
    }
  }
}
