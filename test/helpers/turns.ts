import type { Rate } from '../../src/messages/rate.js'

/** When each turn came, on the clock of performance.now(). */
export type Times = number[]

/** So many who take a turn, and the next one as soon as they have it, until the signal. */
export function takeTurns(rate: Rate, times: Times, signal: AbortSignal, takers = 32): Promise<unknown> {
  const take = async (): Promise<void> => {
    for (;;) {
      await rate.turn(signal)
      if (signal.aborted) return
      times.push(performance.now())
    }
  }
  return Promise.all(Array.from({ length: takers }, take))
}

/** The most that any stretch of time, long or short, had above the rate: a burst of so many turns. */
export function largestBurst(times: Times, perSecond: number): number {
  let largest = 0
  let lowest = Number.POSITIVE_INFINITY
  for (const [i, time] of [...times].sort((a, b) => a - b).entries()) {
    const ahead = i - (perSecond * time) / 1_000
    lowest = Math.min(lowest, ahead)
    largest = Math.max(largest, ahead - lowest + 1)
  }
  return largest
}
