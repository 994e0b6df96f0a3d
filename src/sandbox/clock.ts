export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** The sandbox's time: the given clock plus an offset that tests move. */
export class Clock {
  readonly #base: () => number
  #offsetMs = 0

  constructor(base: () => number) {
    this.#base = base
  }

  now(): number {
    return this.#base() + this.#offsetMs
  }

  get offsetMs(): number {
    return this.#offsetMs
  }

  advance(ms: number): void {
    this.#offsetMs += ms
  }

  reset(): void {
    this.#offsetMs = 0
  }
}

/** Days since 1970 in Beijing, which has kept UTC+8 without summer time since 1991. */
export function beijingDay(at: number): number {
  return Math.floor((at + 8 * HOUR) / DAY)
}

/** A Beijing day as YYYYMMDD. */
export function dayToDate(day: number): number {
  return Number(new Date(day * DAY).toISOString().slice(0, 10).replaceAll('-', ''))
}
