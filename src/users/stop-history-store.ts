import type { Knex } from 'knex'
import { execute, placeholders, type Value } from '../db/sql.js'
import { isNamed, type Named } from './named.js'

export type StopKind = 'opt_out' | 'block'

const COLUMNS = { opt_out: 'opted_out_at', block: 'blocked_at' } as const

/** Of an opt-out beside a block, the code is not known: the one on record stands for the block. */
const CODES = {
  opt_out: 'CASE WHEN blocked_at IS NULL THEN stop_errcode END',
  block: 'stop_errcode',
} as const

interface Ended {
  kinds: StopKind[]
  at: number
  /** What else must be true of the row of wx_user. */
  only?: { sql: string; bindings: Value[] }
}

/**
 * Keeps stops that are about to end, or to be replaced by another one, in wx_stop_history. Call it in the transaction
 * that ends them, before it does. A person without a user has none: claims look for stops by user.
 * On MySQL the rows are read without locks (READ COMMITTED): a stop that another transaction records at this very
 * moment, and that this one ends at once, leaves no trace.
 */
export async function keepEnded(trx: Knex.Transaction, named: Named, ended: Ended): Promise<void> {
  const { sql, bindings } = isNamed(named)
  await keep(trx, ended, {
    sql: `${sql}${ended.only ? ` AND ${ended.only.sql}` : ''}`,
    bindings: [...bindings, ...(ended.only?.bindings ?? [])],
  })
}

/** As keepEnded, for many open_ids. */
export async function keepEndedOf(
  trx: Knex.Transaction,
  appId: string,
  openIds: string[],
  ended: Ended,
): Promise<void> {
  const of = {
    sql: `app_id = ? AND open_id IN (${placeholders(openIds.length)})`,
    bindings: [appId, ...openIds],
  }
  await keep(trx, ended, of)
}

async function keep(
  trx: Knex.Transaction,
  { kinds, at }: Ended,
  of: { sql: string; bindings: Value[] },
): Promise<void> {
  for (const kind of kinds)
    await execute(
      trx,
      `INSERT INTO wx_stop_history (app_id, user_id, kind, errcode, began_at, ended_at)
       SELECT app_id, user_id, '${kind}', ${CODES[kind]}, ${COLUMNS[kind]}, ? FROM wx_user
       WHERE ${of.sql} AND user_id IS NOT NULL AND ${COLUMNS[kind]} < ?`,
      [at, ...of.bindings, at],
    )
}
