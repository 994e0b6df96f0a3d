import type { BusinessDate } from '../lib/business-date.js'

/** Permits of one user that run out between the same two moments. */
export interface Bundle {
  /** They are valid at the first `valid` of the moments: 1 or more. */
  valid: number
  /** They cannot be spent at the first moment yet: payments of the last seconds. */
  isHeld: boolean
  permits: number
}

/** What the forecast has to know of a user. Many users share one. */
export interface Profile {
  /** The user is not reminded up to this day: reminded or signed in already. 0 = on any day. */
  doneTo: BusinessDate
  bundles: Bundle[]
  /** Reminded without a permit, as by a service account. */
  needsNone?: true
}

/** What the forecast has to know of a day. */
export interface Moment {
  date: BusinessDate
  sends: boolean
}

/** A user's coming days, if no permit arrives, the user never signs in, and each reminder spends the oldest permit. */
export interface Reach {
  /** Per moment: whether the user is reminded at it. */
  reminded: boolean[]
  /** Per moment: permits that can be spent at it and were not spent before it. */
  left: number[]
}

/**
 * Plays the moments in order: at each that sends, a user with a permit left is reminded, and the permit spent is the
 * one that runs out first. Which one of several that run out between the same two moments makes no difference.
 */
export function reachOf({ doneTo, bundles, needsNone }: Profile, moments: Moment[]): Reach {
  if (needsNone)
    return { reminded: moments.map(({ date, sends }) => sends && date > doneTo), left: moments.map(() => 0) }
  /** Permits by the number of moments at which they are valid. */
  const stock = new Array<number>(moments.length + 1).fill(0)
  const reach: Reach = { reminded: [], left: [] }
  let left = 0
  let oldest = 0
  const put = (isHeld: boolean): void => {
    for (const bundle of bundles) {
      if (bundle.isHeld !== isHeld) continue
      stock[bundle.valid] = (stock[bundle.valid] ?? 0) + bundle.permits
      left += bundle.permits
    }
    oldest = 0
  }
  put(false)
  for (const [i, { date, sends }] of moments.entries()) {
    if (i === 1) put(true)
    // Valid at the moments before this one only.
    left -= stock[i] ?? 0
    const isReminded = sends && date > doneTo && left > 0
    reach.left.push(left)
    reach.reminded.push(isReminded)
    if (!isReminded) continue
    oldest = Math.max(oldest, i + 1)
    while (stock[oldest] === 0) oldest++
    stock[oldest] = (stock[oldest] ?? 0) - 1
    left--
  }
  return reach
}

/** The last moment at which the user is reminded, if another one follows at which the user is not; else undefined. */
export function lastReached({ reminded }: Reach, moments: Moment[]): number | undefined {
  const last = reminded.lastIndexOf(true)
  const isFollowed = moments.some(({ sends }, i) => i > last && sends)
  return last >= 0 && isFollowed ? last : undefined
}

/** Sums over users, per moment. */
export interface ReachSums {
  reachable: number
  permitsLeft: number
  goingDark: number
}

/** Adds up many users. */
export function createReachSums(moments: Moment[]): {
  add(profile: Profile, users: number): void
  sums: ReachSums[]
} {
  const sums = moments.map((): ReachSums => ({ reachable: 0, permitsLeft: 0, goingDark: 0 }))
  return {
    sums,
    add(profile, users) {
      const reach = reachOf(profile, moments)
      const last = lastReached(reach, moments)
      for (const [i, sum] of sums.entries()) {
        if (reach.reminded[i]) sum.reachable += users
        sum.permitsLeft += (reach.left[i] ?? 0) * users
        if (i === last) sum.goingDark += users
      }
    },
  }
}
