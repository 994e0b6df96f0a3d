import { VALIDITY_MARGIN_MS } from '../books/index.js'

/**
 * Which permit each of the coming reminders of one user spends, if nothing else happens: the oldest that is still
 * valid at its time, as a claim chooses. `expires` are the ends of validity of the usable permits and `firings` the
 * times of the reminders, both ascending, in ms. Returns for each firing an index into `expires`; undefined where no
 * permit is left.
 */
export function planSpending(expires: readonly number[], firings: readonly number[]): (number | undefined)[] {
  let next = 0
  return firings.map((at) => {
    while ((expires[next] ?? Number.POSITIVE_INFINITY) <= at + VALIDITY_MARGIN_MS) next++
    return next < expires.length ? next++ : undefined
  })
}
