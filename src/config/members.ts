import { didYouMean } from '../lib/did-you-mean.js'
import type { Faults } from './faults.js'

export type Members = Readonly<Record<string, unknown>>

/**
 * The members of an object of the file, which stands at `place`, '' for the whole; those with a name that nobody knows are faults. `known` are the names that it
 * may have, `elsewhere` what to write in place of a name that belongs somewhere else.
 */
export function membersOf(
  value: unknown,
  place: string,
  known: readonly string[],
  faults: Faults,
  elsewhere: ReadonlyMap<string, string> = new Map(),
): Members | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    faults.add(place || 'ACCOUNTS_FILE', 'must be an object')
    return undefined
  }
  for (const name of Object.keys(value).filter((name) => !known.includes(name))) {
    const meant = elsewhere.get(name)
    const hint = meant === undefined ? didYouMean(name, known) : `; write "${meant}"`
    faults.add(pathTo(place, name), `is no property that there is${hint}`)
  }
  return value as Members
}

export function listOf(value: unknown, place: string, faults: Faults): unknown[] {
  if (Array.isArray(value)) return value
  faults.add(place, 'must be a list')
  return []
}

/** As JavaScript would write it: `accounts[1].reminder.cron`. */
export function pathTo(place: string, name: string): string {
  const step = /^\w+$/.test(name) ? name : JSON.stringify(name)
  return place === '' ? step : `${place}.${step}`
}
