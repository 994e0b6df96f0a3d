import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { isContention } from './errors.js'

const MAX_ATTEMPTS = 8
const BASE_DELAY_MS = 10

/**
 * Runs `work` in one transaction and tries it again, a bounded number of times and with growing random pauses, when
 * another transaction was in the way. `work` may therefore run several times and must keep its effects inside `trx`.
 * `alsoRetry` names errors that a second look resolves, such as a duplicate that somebody else just committed.
 */
export function inTransaction<T>(
  db: Knex,
  work: (trx: Knex.Transaction) => Promise<T>,
  alsoRetry: (error: unknown) => boolean = () => false,
): Promise<T> {
  return withoutContention(() => db.transaction(work), alsoRetry)
}

/** The same for work that needs no transaction, such as a single statement. */
export async function withoutContention<T>(
  work: () => Promise<T>,
  alsoRetry: (error: unknown) => boolean = () => false,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt === MAX_ATTEMPTS || !(isContention(error) || alsoRetry(error))) throw error
      // Retries that come back at once meet the same rival: measured, five of them still ended in an error.
      await sleep(Math.random() * BASE_DELAY_MS * 2 ** attempt)
    }
  }
}
