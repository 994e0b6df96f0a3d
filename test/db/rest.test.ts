import { describe, expect, test } from 'vitest'
import { createRest, type Rest } from '../../src/db/rest.js'
import { dialects, useDatabase } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { openPool } from '../helpers/rows.js'

const WORK_MS = 100

describe.each(dialects)('a job on %s rests', (dialect) => {
  const database = useDatabase(dialect)
  const { db } = database
  const create = (signal = new AbortController().signal) => createRest(db, signal)

  /** After work that took a tenth of a second. */
  async function restOf(rest: Rest): Promise<number> {
    const endedAt = performance.now()
    await rest.after(endedAt - WORK_MS)
    return performance.now() - endedAt
  }
  const insert = (on = db) =>
    on('wx_user_number').insert({ app_id: String(Math.random()), last_user_id: 1, updated_at: 0 })

  test('for longer than it worked as long as it does not know whether others write', async () => {
    const rest = create()
    expect(rest.isQuiet()).toBe(false)
    expect(await restOf(rest)).toBeGreaterThan(WORK_MS)
  })

  test('for longer than it worked while another process writes, and is not quiet', async () => {
    const other = openPool(database)
    try {
      const rest = create()
      await restOf(rest)
      await insert(other)
      expect(await restOf(rest)).toBeGreaterThan(WORK_MS)
      expect(rest.isQuiet()).toBe(false)
    } finally {
      await other.destroy()
    }
  })

  test('in parts of a millisecond that it puts together', async () => {
    const rest = create()
    await rest.after(performance.now())
    const startedAt = performance.now()
    for (let n = 0; n < 20; n++) await rest.after(performance.now() - 0.05)
    expect(performance.now() - startedAt).toBeGreaterThan(1)
  })

  test('no longer than a second, however long the work took', async () => {
    const rest = create()
    const endedAt = performance.now()
    await rest.after(endedAt - 600_000)
    expect(performance.now() - endedAt).toBeLessThan(10_000)
  })

  test('no longer than until it is stopped', async () => {
    const stop = new AbortController()
    const rest = create(stop.signal)
    stop.abort()
    const endedAt = performance.now()
    await rest.after(endedAt - 60_000)
    expect(performance.now() - endedAt).toBeLessThan(10_000)
  })
})

// Alone on its database: the server of the tests has others who write.
describe('a job on sqlite', () => {
  const database = useDatabase('sqlite')
  const { db } = database

  test('hardly rests when nobody else writes, and does when somebody in this process does', async () => {
    const rest = createRest(db, new AbortController().signal)
    const restAfter = async (work: number) => {
      const endedAt = performance.now()
      await rest.after(endedAt - work)
      return performance.now() - endedAt
    }
    await eventually('it is quiet', async () => {
      await restAfter(1)
      return rest.isQuiet()
    })
    expect(await restAfter(20 * WORK_MS)).toBeLessThan(10 * WORK_MS)
    await db('wx_user_number').insert({ app_id: 'a', last_user_id: 1, updated_at: 0 })
    expect(await restAfter(WORK_MS)).toBeGreaterThan(WORK_MS)
    expect(rest.isQuiet()).toBe(false)
  })
})
