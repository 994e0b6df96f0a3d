import { beijingDay, dayToDate, MINUTE } from './clock.js'

/**
 * Calls per day and account: the numbers of the official pages for stable_token and the sends. The others are small,
 * as operators found out, but nobody knows how small: these numbers are assumptions. Paths without one have no limit.
 */
const DAILY_QUOTA: Record<string, number> = {
  // "2,000 a day" is said everywhere and confirmed nowhere.
  '/cgi-bin/token': 2_000,
  '/cgi-bin/stable_token': 500_000,
  '/cgi-bin/message/wxopen/template/send': 1_000_000,
  // For a mini-program without payment; 30 million with it.
  '/cgi-bin/message/subscribe/send': 10_000_000,
  // For fewer than 100,000 followers.
  '/cgi-bin/message/template/send': 100_000,
  '/cgi-bin/wxopen/template/list': 200,
  '/wxaapi/newtmpl/gettemplate': 200,
  '/cgi-bin/template/get_all_private_template': 200,
  '/cgi-bin/openapi/quota/get': 1_000,
}

const MINUTE_QUOTA: Record<string, number> = { '/cgi-bin/stable_token': 10_000 }

/** By any of the three calls and by hand in the console, together (清空api的调用quota). */
export const CLEARINGS_PER_MONTH = 10

interface Usage {
  window: number
  used: number
}

/** As openapi/quota/get tells it. */
export interface Quota {
  daily_limit: number
  used: number
  remain: number
}

/** Counts calls per account and path; that a day ends at midnight in Beijing is an assumption. */
export class Quotas {
  readonly #perDay = new Map<string, number>()
  readonly #perMinute = new Map<string, number>()
  readonly #days = new Map<string, Usage>()
  readonly #minutes = new Map<string, Usage>()
  readonly #clearings = new Map<string, Usage>()

  constructor() {
    this.#setLimits()
  }

  setDaily(path: string, limit: number): void {
    this.#perDay.set(path, limit)
  }

  setPerMinute(path: string, limit: number): void {
    this.#perMinute.set(path, limit)
  }

  /** Takes one call from this minute's and today's quota; the errcode if there is none left. */
  take(appId: string, path: string, now: number): 45009 | 45011 | undefined {
    const key = `${appId} ${path}`
    if (!take(this.#minutes, key, Math.floor(now / MINUTE), this.#perMinute.get(path))) return 45011
    if (!take(this.#days, key, beijingDay(now), this.#perDay.get(path))) return 45009
    return undefined
  }

  /** undefined for a path without a daily limit. */
  today(appId: string, path: string, now: number): Quota | undefined {
    const limit = this.#perDay.get(path)
    if (limit === undefined) return undefined
    const usage = this.#days.get(`${appId} ${path}`)
    const used = usage?.window === beijingDay(now) ? usage.used : 0
    return { daily_limit: limit, used, remain: Math.max(0, limit - used) }
  }

  perMinute(path: string): number | undefined {
    return this.#perMinute.get(path)
  }

  /** Today's calls of one path, or of all, count as not made; false if the month's clearings are used up (48006). */
  clearToday(appId: string, path: string | undefined, now: number): boolean {
    const month = Math.floor(dayToDate(beijingDay(now)) / 100)
    if (!take(this.#clearings, appId, month, CLEARINGS_PER_MONTH)) return false
    for (const key of this.#days.keys()) {
      if (path === undefined ? key.startsWith(`${appId} `) : key === `${appId} ${path}`)
        this.#days.delete(key)
    }
    return true
  }

  clear(): void {
    for (const usages of [this.#days, this.#minutes, this.#clearings]) usages.clear()
    this.#setLimits()
  }

  #setLimits(): void {
    this.#perDay.clear()
    this.#perMinute.clear()
    for (const [path, limit] of Object.entries(DAILY_QUOTA)) this.#perDay.set(path, limit)
    for (const [path, limit] of Object.entries(MINUTE_QUOTA)) this.#perMinute.set(path, limit)
  }
}

/** Without a limit, calls are not counted. */
function take(usages: Map<string, Usage>, key: string, window: number, limit: number | undefined): boolean {
  if (limit === undefined) return true
  let usage = usages.get(key)
  if (usage?.window !== window) {
    usage = { window, used: 0 }
    usages.set(key, usage)
  }
  if (usage.used >= limit) return false
  usage.used += 1
  return true
}
