/** How many messages ended in each state. `lost`: another process had taken them over, and settles them. */
export interface Tally {
  delivered: number
  failed: number
  unknown: number
  cancelled: number
  retry: number
  lost: number
}

export function emptyTally(): Tally {
  return { delivered: 0, failed: 0, unknown: 0, cancelled: 0, retry: 0, lost: 0 }
}

export function addTallies(...tallies: Tally[]): Tally {
  const sum = emptyTally()
  for (const tally of tallies)
    for (const state of Object.keys(sum) as (keyof Tally)[]) sum[state] += tally[state]
  return sum
}
