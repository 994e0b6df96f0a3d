import { setTimeout as pause } from 'node:timers/promises'
import { finish, ready } from './candidate.js'

/** Half of the calls were answered within the one, 99 % within the other, in ms. */
export function quantilesOf(latencies: number[]): { p50_ms: number; p99_ms: number } {
  const sorted = latencies.toSorted((a, b) => a - b)
  const quantile = (q: number): number => sorted[Math.floor(sorted.length * q)] ?? Number.NaN
  return { p50_ms: quantile(0.5), p99_ms: quantile(0.99) }
}

const WARM_UP = 5

/** Asks one time after the other, as people do, and ends the candidate with that. `ask` tells how many ms it took. */
export async function askInTurn(
  ask: () => Promise<number>,
  { times, pauseMs }: { times: number; pauseMs: number },
): Promise<void> {
  for (let i = 0; i < WARM_UP; i++) await ask()
  await ready()
  const startedAt = performance.now()
  const latencies: number[] = []
  for (let i = 0; i < times; i++) {
    latencies.push(await ask())
    await pause(pauseMs)
  }
  finish({ done: times, seconds: (performance.now() - startedAt) / 1_000, ...quantilesOf(latencies) })
}
