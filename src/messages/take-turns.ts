import type { Knex } from 'knex'
import { findBackendAfter, takeDueOf } from './retry-store.js'

/** More backends than this share what is left by the others: names are those of API keys, of which an account has few. */
const MAX_BACKENDS = 50

/**
 * Takes submitted messages that are due, at most `limit`, and ends their waits: as many of each backend that has some,
 * and of one backend in the order of their time. Returns them in turns, so that a backend with one message does not
 * wait behind those of a backend with many. `random` in [0, 1) says who begins, and so who gets what cannot be divided.
 */
export async function takeInTurns(
  trx: Knex.Transaction,
  appId: string,
  { limit, now, random }: { limit: number; now: number; random: number },
): Promise<number[]> {
  const backends = startingAt(await findBackends(trx, appId), random)
  const taken = backends.map((submittedBy) => ({ submittedBy, ids: [] as number[] }))
  let waiting = taken
  let room = limit
  while (room > 0 && waiting.length > 0) {
    const more: typeof taken = []
    for (const [i, of] of waiting.entries()) {
      const asked = Math.ceil(room / (waiting.length - i))
      if (asked === 0) break
      const ids = await takeDueOf(trx, { appId, submittedBy: of.submittedBy }, now, asked)
      of.ids.push(...ids)
      room -= ids.length
      if (ids.length === asked) more.push(of)
    }
    waiting = more
  }
  return inTurns(taken.map(({ ids }) => ids))
}

async function findBackends(trx: Knex.Transaction, appId: string): Promise<string[]> {
  const backends: string[] = []
  let next = await findBackendAfter(trx, appId, undefined)
  while (next !== undefined && backends.length < MAX_BACKENDS) {
    backends.push(next)
    next = await findBackendAfter(trx, appId, next)
  }
  return backends
}

function startingAt<T>(list: T[], random: number): T[] {
  const first = Math.floor(random * list.length)
  return [...list.slice(first), ...list.slice(0, first)]
}

function inTurns(lists: number[][]): number[] {
  const longest = Math.max(0, ...lists.map(({ length }) => length))
  return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list.slice(i, i + 1))).flat()
}
