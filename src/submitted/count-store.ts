import type { Knex } from 'knex'
import { mysqlHint, selectRows } from '../db/sql.js'
import type { SubmittedEnd } from '../messages/submitted-end.js'

/** So many messages of a state are counted: more are too many to count while somebody waits. */
export const MOST_COUNTED = 10_000

export interface CountOf<End extends string> {
  state: End
  /** Up to MOST_COUNTED. */
  messages: number
  /** false: there are more. */
  isAll: boolean
}

/**
 * How many messages of an account have ended like this, or are `open`. Reads one more index entry than it counts, of
 * wx_submitted_message_state_idx.
 */
export async function countStates<End extends SubmittedEnd | 'open'>(
  db: Knex,
  appId: string,
  states: readonly End[],
): Promise<CountOf<End>[]> {
  const hint = mysqlHint(db, 'FORCE INDEX (wx_submitted_message_state_idx)')
  const one = `SELECT ? AS state, COUNT(*) AS messages FROM (
      SELECT 1 AS found FROM wx_submitted_message${hint} WHERE app_id = ? AND state = ? LIMIT ?) counted`
  const rows = await selectRows<{ state: End; messages: number }>(
    db,
    states.map(() => one).join(' UNION ALL '),
    states.flatMap((state) => [state, appId, state, MOST_COUNTED + 1]),
  )
  return rows.map(({ state, messages }) => ({
    state,
    messages: Math.min(Number(messages), MOST_COUNTED),
    isAll: Number(messages) <= MOST_COUNTED,
  }))
}

/** Whether any message was ever submitted, as far as it is on record. Uses wx_submitted_message_app_idx. */
export async function hasSubmitted(db: Knex, appId: string): Promise<boolean> {
  const rows = await selectRows(
    db,
    'SELECT message_id FROM wx_submitted_message WHERE app_id = ? ORDER BY message_id DESC LIMIT 1',
    [appId],
  )
  return rows.length > 0
}
