/** One of the places of a pool. */
export interface Place {
  leave(): void
}

/** One of those who share the pool. */
export interface Party {
  /** Resolves when there is a place for it. Rejects with `late()` after `waitMs`. */
  enter(): Promise<Place>
}

export interface PlacesOptions {
  /** How many places there are. */
  all(): number
  /** Whether there are several parties; one alone may have all places. */
  isDivided(): boolean
  waitMs: number
  late(): Error
  /** In ms, of a clock that only goes forward. */
  now(): number
}

/** A statement that waits for rows which somebody holds has its place for a second; others for some 10 ms. */
const SLOW_MS = 500
/** For so long after it had a place for too long, a party is one of the slow ones. */
const SLOW_FOR_MS = 30_000
/** Of this share of the places, slow parties have none. */
const RESERVE = 1 / 4

interface Member {
  /** Since when it has each of its places, the oldest first. */
  readonly held: Map<Place, number>
  readonly waiting: Set<() => void>
  slowUntil: number
}

/**
 * Divides places so that no number of parties whose places come back late can have them all. A party gets another one
 * only while it has fewer than are free: one party ends at half of them, two at a third each, and there is always one
 * left for a party that has none. Those that were slow lately are held to three quarters together, so that many of them,
 * with a single place each, leave the rest to the others. Those who wait get a place in their order within a party, and
 * in turns among parties.
 */
export function createPlaces({ all, isDivided, waitMs, late, now }: PlacesOptions): { party(): Party } {
  /** Those that have a place or wait for one; who has got one goes to the end. */
  const active = new Set<Member>()
  let taken = 0

  function isSlow({ held, slowUntil }: Member): boolean {
    const [oldest = Number.POSITIVE_INFINITY] = held.values()
    return now() < slowUntil || now() - oldest >= SLOW_MS
  }

  function mayEnter(member: Member): boolean {
    const free = all() - taken
    if (!isDivided()) return free > 0
    if (member.held.size >= free) return false
    if (!isSlow(member)) return true
    const slow = [...active].filter(isSlow).reduce((sum, { held }) => sum + held.size, 0)
    return slow < all() - Math.floor(all() * RESERVE)
  }

  function admit(): void {
    for (;;) {
      const next = [...active].find((member) => member.waiting.size > 0 && mayEnter(member))
      const [go] = next?.waiting ?? []
      if (!next || !go) return
      next.waiting.delete(go)
      go()
    }
  }

  function take(member: Member): Place {
    const since = now()
    const place: Place = {
      leave() {
        if (!member.held.delete(place)) return
        taken--
        if (now() - since >= SLOW_MS) member.slowUntil = now() + SLOW_FOR_MS
        if (member.held.size + member.waiting.size === 0) active.delete(member)
        admit()
      },
    }
    member.held.set(place, since)
    taken++
    active.delete(member)
    active.add(member)
    return place
  }

  function wait(member: Member): Promise<Place> {
    return new Promise((resolve, reject) => {
      const go = (): void => {
        clearTimeout(timer)
        resolve(take(member))
      }
      const timer = setTimeout(() => {
        member.waiting.delete(go)
        if (member.held.size + member.waiting.size === 0) active.delete(member)
        reject(late())
      }, waitMs)
      member.waiting.add(go)
    })
  }

  return {
    party() {
      const member: Member = { held: new Map(), waiting: new Set(), slowUntil: Number.NEGATIVE_INFINITY }
      return {
        async enter() {
          if (member.waiting.size === 0 && mayEnter(member)) return take(member)
          active.add(member)
          return wait(member)
        },
      }
    },
  }
}
