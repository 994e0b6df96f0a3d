import { type Figures, NOTHING } from './rig/measure.js'
import { median } from './rig/stat.js'
import type { Target } from './targets.js'

/** A ratio between candidates, as several short rounds gave it. */
export interface Ratio {
  name: string
  isLimit: boolean
  /** The median of the rounds. */
  figure: number
  /** How far the rounds were apart, as a part of the median: the noise of that run. */
  spread: number
}

export type Verdict = 'as before' | 'better' | 'dropped' | 'nothing stored' | 'not measured'

export interface Comparison {
  name: string
  figure: number
  stored: number
  noise: number
  verdict: Verdict
}

/**
 * What runs differ by although nothing has changed, even if the rounds of each agree: five quick runs within two hours on a
 * shared machine had "daily run / article unbounded" between 1.92 and 2.39.
 */
export const LEAST_NOISE = 0.25

/** The ratios of a run: each round's candidates against each other, since a slow minute meets both sides. */
export function ratiosOf(targets: Target[], measured: Map<string, Figures[]>, rounds: number): Ratio[] {
  return targets
    .filter(({ isRatio }) => isRatio)
    .map(({ name, isLimit, figure }) => {
      const figures = Array.from({ length: rounds }, (_, round) =>
        figure((candidate) => measured.get(candidate)?.[round] ?? NOTHING),
      )
      const middle = median(figures)
      return {
        name,
        isLimit,
        figure: middle,
        spread: (Math.max(...figures) - Math.min(...figures)) / middle,
      }
    })
    .filter(({ figure }) => !Number.isNaN(figure))
}

/**
 * A ratio has dropped when it is worse than the stored one by more than its rounds were apart, in this run or in the
 * stored one, whichever was noisier.
 */
export function compareRatios(now: Ratio[], stored: Ratio[]): Comparison[] {
  const names = new Set([...now, ...stored].map(({ name }) => name))
  return [...names].map((name) => {
    const [mine, theirs] = [now, stored].map((ratios) => ratios.find((ratio) => ratio.name === name))
    const noise = Math.max(LEAST_NOISE, mine?.spread ?? 0, theirs?.spread ?? 0)
    return {
      name,
      figure: mine?.figure ?? Number.NaN,
      stored: theirs?.figure ?? Number.NaN,
      noise,
      verdict: verdictOn(mine, theirs, noise),
    }
  })
}

function verdictOn(now: Ratio | undefined, stored: Ratio | undefined, noise: number): Verdict {
  if (!now) return 'not measured'
  if (!stored) return 'nothing stored'
  const gain = now.isLimit ? stored.figure / now.figure : now.figure / stored.figure
  if (gain < 1 - noise) return 'dropped'
  return gain > 1 + noise ? 'better' : 'as before'
}
