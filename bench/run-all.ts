import { SingleBar } from 'cli-progress'
import type { Figures } from './rig/measure.js'
import type { Candidate, Rig } from './suites/suite.js'

/** Two rounds at least: one alone does not tell how much of it is noise. */
const LEAST_ROUNDS = 2

/**
 * Runs every candidate in every round, one after the other, so that a slow minute of the machine meets all of them.
 * Returns the figures of each, a round after the other: fewer rounds where the next one would not end within the time.
 */
export async function runAll(
  rig: Rig,
  candidates: Candidate[],
  rounds: number,
  { withinMs = Number.POSITIVE_INFINITY, now = () => performance.now() } = {},
): Promise<Map<string, Figures[]>> {
  const bar = new SingleBar({ format: '{bar} {value}/{total} {name}', hideCursor: true })
  const measured = new Map<string, Figures[]>()
  if (process.stderr.isTTY) bar.start(rounds * candidates.length, 0, { name: '' })
  const startedAt = now()
  for (let round = 0; round < rounds; round++) {
    const nextEnd = ((now() - startedAt) / round) * (round + 1)
    if (round >= LEAST_ROUNDS && nextEnd > withinMs) break
    for (const candidate of candidates) {
      bar.update({ name: candidate.name })
      measured.set(candidate.name, [...(measured.get(candidate.name) ?? []), await candidate.run(rig)])
      bar.increment()
    }
  }
  bar.stop()
  return measured
}
