import { describe, expect, test } from 'vitest'
import { MAX_LIST } from '../../src/db/sql.js'
import { findStale } from '../../src/permits/store.js'
import { createSweepChunks } from '../../src/permits/sweep-chunks.js'
import { APP_ID, DAY_MS, NOW } from '../helpers/constants.js'
import { type Dialect, dialects, useDatabase } from '../helpers/database.js'
import { addPermits, recordQueries, refuseRows } from '../helpers/rows.js'
import { wrongCounters } from '../migrations/old-tables.js'

const USERS = 1_500
const RANGE = { from: NOW - DAY_MS, until: NOW }

describe.each(dialects)('a backlog by user on %s', (dialect) => {
  const { db } = useDatabase(dialect)

  /** Sweeps two permits of each user. */
  async function sweep(isQuiet: boolean) {
    const rows = Array.from({ length: 2 * USERS }, (_, n) => ({
      user_id: n % USERS,
      form_id: `f${n}`,
      expire: RANGE.from + n,
    }))
    await addPermits(db, rows)
    const stale = await findStale(db, APP_ID, { expire: 0, id: 0 }, { expire: NOW, id: 0 })
    const rest = { isQuiet: () => isQuiet, after: async () => {} }
    const { signal } = new AbortController()
    const queries = recordQueries(db)
    const chunks = createSweepChunks(db, signal, { appId: APP_ID, now: NOW, rest }, () => {})
    return { swept: chunks.byUser(stale, RANGE), queries }
  }

  /** How many transactions were open at once. */
  function mostOpen(queries: { sql: string }[]): number {
    let open = 0
    return queries.reduce((most, { sql }) => {
      if (/^BEGIN/i.test(sql)) open++
      if (/^(COMMIT|ROLLBACK)/i.test(sql)) open--
      return Math.max(most, open)
    }, 0)
  }

  const lanes = (isQuiet: boolean, on: Dialect) => (isQuiet && on === 'mysql' ? 2 : 1)

  test.each([true, false])('is worked on in lanes only while others do not write (%s)', async (isQuiet) => {
    const { swept, queries } = await sweep(isQuiet)
    const { cleared, left } = await swept
    expect(left).toEqual([])
    expect(new Set(cleared).size).toBe(USERS)
    expect(mostOpen(queries)).toBe(lanes(isQuiet, dialect))
    expect(await db('wx_save_form_id').where({ status: 2 }).count({ n: '*' }).first()).toEqual({
      n: 2 * USERS,
    })
    expect(await wrongCounters(db)).toEqual([])
  })

  test('has nothing under way any more when a chunk has failed', async () => {
    // The last chunk of the first lane: the other one is in the middle of its users.
    const refused = await refuseRows(db, 'wx_message_push_status', 'UPDATE', `NEW.user_id = ${USERS / 2 - 1}`)
    const { swept, queries } = await sweep(true)
    await expect(swept).rejects.toThrow('refused')
    const ended = queries.length
    expect(queries.at(-1)?.sql).toMatch(/^(COMMIT|ROLLBACK)/i)
    await refused.allow()
    expect(queries.slice(ended).filter(({ sql }) => /wx_/.test(sql) && !/TRIGGER/.test(sql))).toEqual([])
    expect(await wrongCounters(db)).toEqual([])
  })

  test('goes in transactions that take no more than one list', async () => {
    const { swept, queries } = await sweep(false)
    await swept
    const updates = queries.filter(({ sql }) => /^UPDATE wx_save_form_id/.test(sql))
    expect(updates.length).toBeGreaterThanOrEqual((2 * USERS) / MAX_LIST)
  })
})
