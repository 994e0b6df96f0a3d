import type { Knex } from 'knex'
import { selectRows } from '../db/sql.js'

/** Messages of one statement, by their ids: some tenths of a second. */
const PAGE = 50_000

/** The ids from above `after` up to and with `to`. */
export interface IdRange {
  after: number
  to: number
}

/**
 * Reads all messages, a range of ids in each statement, until `limit` rows are found. Bounded in time and memory however
 * many there are; ids that were purged cost nothing.
 */
export async function byMessage<Row>(
  db: Knex,
  table: { name: 'wx_push_message'; id: 'id' } | { name: 'wx_submitted_message'; id: 'message_id' },
  limit: number,
  find: (range: IdRange, limit: number) => Promise<Row[]>,
): Promise<Row[]> {
  const { name, id } = table
  const found: Row[] = []
  let after = 0
  while (found.length < limit) {
    const [next] = await selectRows<{ id: number }>(
      db,
      `SELECT ${id} AS id FROM ${name} WHERE ${id} > ? ORDER BY ${id} LIMIT 1`,
      [after],
    )
    if (!next) break
    const range = { after: next.id - 1, to: next.id - 1 + PAGE }
    found.push(...(await find(range, limit - found.length)))
    after = range.to
  }
  return found
}
