/** The people an account may write to: openids seen, followers, and accepted subscriptions. */
export class Users {
  readonly #known = new Map<string, Set<string>>()
  readonly #followers = new Set<string>()
  readonly #credits = new Map<string, number>()

  /** How many there are, of people and templates. */
  get subscriptions(): number {
    return this.#credits.size
  }

  /** An openid belongs to the account in which it was first seen. */
  remember(appId: string, openId: string): void {
    const known = this.#known.get(appId)
    if (known) known.add(openId)
    else this.#known.set(appId, new Set([openId]))
  }

  /** False for text that is not an openid, and for one that only another account knows (40003). */
  mayBeOpenIdOf(appId: string, openId: unknown): openId is string {
    if (typeof openId !== 'string') return false
    if (this.#known.get(appId)?.has(openId)) return true
    return /^[\w-]{1,128}$/.test(openId) && ![...this.#known.values()].some((known) => known.has(openId))
  }

  follow(appId: string, openId: string): void {
    this.remember(appId, openId)
    this.#followers.add(`${appId} ${openId}`)
  }

  unfollow(appId: string, openId: string): void {
    this.#followers.delete(`${appId} ${openId}`)
  }

  follows(appId: string, openId: string): boolean {
    return this.#followers.has(`${appId} ${openId}`)
  }

  /** Accepted one-time subscriptions add up and never expire: accepting n times gives n messages. */
  grant(appId: string, openId: string, templateId: string, count: number): void {
    this.remember(appId, openId)
    const key = `${appId} ${openId} ${templateId}`
    this.#credits.set(key, (this.#credits.get(key) ?? 0) + count)
  }

  /** The user turns a template off: its accepted subscriptions are gone. */
  revoke(appId: string, openId: string, templateId: string): void {
    this.#credits.delete(`${appId} ${openId} ${templateId}`)
  }

  /** Spends one accepted subscription; false if there is none (43101). */
  spendSubscription(appId: string, openId: string, templateId: string): boolean {
    const key = `${appId} ${openId} ${templateId}`
    const credits = this.#credits.get(key) ?? 0
    if (credits === 0) return false
    if (credits === 1) this.#credits.delete(key)
    else this.#credits.set(key, credits - 1)
    return true
  }

  hasSubscription(appId: string, openId: string, templateId: string): boolean {
    return this.#credits.has(`${appId} ${openId} ${templateId}`)
  }

  clear(): void {
    this.#known.clear()
    this.#followers.clear()
    this.#credits.clear()
  }
}
