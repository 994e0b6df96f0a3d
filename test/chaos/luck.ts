import { seededRandom } from '../../src/sandbox/random.js'

/** Everything that is left to chance in a run, from one seed. */
export interface Luck {
  chance(probability: number): boolean
  between(low: number, high: number): number
  integer(low: number, high: number): number
  pick<T>(from: readonly T[]): T
}

/** A stream of its own for each part of a run, so that what one draws does not depend on how fast another goes. */
export function createLuck(seed: number, part: string): Luck {
  let hash = seed
  for (const char of part) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193)
  const random = seededRandom(hash)
  const between = (low: number, high: number): number => low + random() * (high - low)
  const integer = (low: number, high: number): number => Math.floor(between(low, high + 1))
  return {
    chance: (probability) => random() < probability,
    between,
    integer,
    pick: (from) => {
      const one = from[integer(0, from.length - 1)]
      if (one === undefined) throw new Error('There is nothing to pick from')
      return one
    },
  }
}
