import { randomUUID } from 'node:crypto'
import type { Knex } from 'knex'
import { inTransaction } from '../db/transaction.js'
import { releaseLease, renewLease, takeLease } from './lease-store.js'

/** The right to keep an account's summaries. One process at a time has it, for as long as it renews it. */
export interface SummaryLease {
  /** Renews it. Throws LeaseLost if another process has taken over. */
  renew(): Promise<void>
  /** Writes in a transaction that another process cannot have taken over from. Throws LeaseLost. */
  write(work: (trx: Knex.Transaction) => Promise<void>): Promise<void>
}

/** Another process keeps the summaries now: what this one has counted is dropped. */
export class LeaseLost extends Error {
  constructor() {
    super('Another process has taken over the summaries')
  }
}

/** Does the work if no other process is at it, and returns its result; undefined otherwise. */
export async function withLease<Result>(
  db: Knex,
  appId: string,
  work: (lease: SummaryLease) => Promise<Result>,
): Promise<Result | undefined> {
  const owner = randomUUID()
  if (!(await takeLease(db, appId, owner))) return undefined
  const renewOn = async (on: Knex): Promise<void> => {
    if (!(await renewLease(on, appId, owner))) throw new LeaseLost()
  }
  try {
    return await work({
      renew: () => renewOn(db),
      write: (write) =>
        inTransaction(db, async (trx) => {
          await renewOn(trx)
          await write(trx)
        }),
    })
  } finally {
    await releaseLease(db, appId, owner)
  }
}
