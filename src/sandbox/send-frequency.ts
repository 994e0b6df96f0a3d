import { SECOND } from './clock.js'

/** At most so many messages of one account to one person within so many seconds. */
export interface FrequencyLimit {
  messages: number
  seconds: number
}

/** Counts what each person got lately. WeChat has such a limit for service accounts (43117), but not its numbers. */
export class SendFrequency {
  #limit: FrequencyLimit | undefined
  readonly #sent = new Map<string, number[]>()

  /** null lifts the limit. */
  setLimit(limit: FrequencyLimit | null): void {
    this.#limit = limit ?? undefined
    this.#sent.clear()
  }

  isTooMuch(appId: string, openId: string, now: number): boolean {
    const limit = this.#limit
    return limit !== undefined && this.#lately(appId, openId, limit, now).length >= limit.messages
  }

  /** Without a limit nothing is counted. */
  count(appId: string, openId: string, now: number): void {
    const limit = this.#limit
    if (!limit) return
    const key = `${appId} ${openId}`
    const times = [...this.#lately(appId, openId, limit, now), now]
    // Behind all others, so that those who got nothing lately are in front and are forgotten first.
    this.#sent.delete(key)
    this.#sent.set(key, times)
    this.#forget(now - limit.seconds * SECOND)
  }

  get size(): number {
    return this.#sent.size
  }

  clear(): void {
    this.setLimit(null)
  }

  #lately(appId: string, openId: string, { seconds }: FrequencyLimit, now: number): number[] {
    return (this.#sent.get(`${appId} ${openId}`) ?? []).filter((at) => at > now - seconds * SECOND)
  }

  #forget(before: number): void {
    for (const [key, times] of this.#sent) {
      if ((times.at(-1) ?? 0) > before) return
      this.#sent.delete(key)
    }
  }
}
