import { beijingDay, MINUTE } from './clock.js'

/** Calls per day and account: the numbers of the official pages. Paths without one have no limit here. */
const DAILY_QUOTA: Record<string, number> = {
  '/cgi-bin/stable_token': 500_000,
  '/cgi-bin/message/wxopen/template/send': 1_000_000,
  // For a mini-program without payment; 30 million with it.
  '/cgi-bin/message/subscribe/send': 10_000_000,
  // For fewer than 100,000 followers.
  '/cgi-bin/message/template/send': 100_000,
}

const STABLE_TOKEN_PER_MINUTE = 10_000

interface Usage {
  window: number
  used: number
}

/** Counts calls per account and path; a day ends at midnight in Beijing. */
export class Quotas {
  readonly #limits = new Map(Object.entries(DAILY_QUOTA))
  readonly #days = new Map<string, Usage>()
  readonly #minutes = new Map<string, Usage>()

  setDaily(path: string, limit: number): void {
    this.#limits.set(path, limit)
  }

  /** Takes one call from today's quota; false when none is left (45009). */
  takeDaily(appId: string, path: string, now: number): boolean {
    const limit = this.#limits.get(path)
    return limit === undefined || take(this.#days, `${appId} ${path}`, beijingDay(now), limit)
  }

  /** Today's quota of a path, as openapi/quota/get tells it; undefined for a path without one. */
  look(
    appId: string,
    path: string,
    now: number,
  ): { daily_limit: number; used: number; remain: number } | undefined {
    const limit = this.#limits.get(path)
    if (limit === undefined) return undefined
    const usage = this.#days.get(`${appId} ${path}`)
    const used = usage?.window === beijingDay(now) ? usage.used : 0
    return { daily_limit: limit, used, remain: Math.max(0, limit - used) }
  }

  /** Takes one stable_token call from this minute's; false when none is left (45011). */
  takeStableToken(appId: string, now: number): boolean {
    return take(this.#minutes, appId, Math.floor(now / MINUTE), STABLE_TOKEN_PER_MINUTE)
  }

  clear(): void {
    this.#days.clear()
    this.#minutes.clear()
    this.#limits.clear()
    for (const [path, limit] of Object.entries(DAILY_QUOTA)) this.#limits.set(path, limit)
  }
}

function take(usages: Map<string, Usage>, key: string, window: number, limit: number): boolean {
  let usage = usages.get(key)
  if (usage?.window !== window) {
    usage = { window, used: 0 }
    usages.set(key, usage)
  }
  if (usage.used >= limit) return false
  usage.used += 1
  return true
}
