import type { Knex } from 'knex'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { findAppIds, findPlace, findStale } from '../../src/permits/store.js'
import { claimDue } from '../../src/reminders/claim.js'
import { resetRanges } from '../../src/schedule/cursor-store.js'
import { openRun } from '../../src/schedule/store.js'
import { analyze, fillTable } from '../helpers/fill.js'
import { type Meter, openMeter } from '../helpers/rows-read.js'
import { createWorld, START, TODAY, type World } from '../helpers/world.js'

/** What a statement reads must not grow with the table. Compared at ten times the rows, and never by the clock. */
describe('rows that MySQL reads', () => {
  let world: World
  let meter: Meter
  let appId: string

  beforeAll(async () => {
    world = await createWorld('mysql')
    meter = openMeter(world.database)
    appId = world.account.appId
  })
  afterEach(() => world.reset())
  afterAll(async () => {
    await meter.close()
    await world.close()
  })

  /** What `work` reads beside `small` and beside ten times as many rows. */
  async function atTenTimes(
    small: number,
    fill: (db: Knex, rows: number) => Promise<unknown>,
    work: () => Promise<unknown>,
  ): Promise<{ small: number; large: number }> {
    const read: number[] = []
    for (const rows of [small, 10 * small]) {
      await world.reset()
      await fill(meter.db, rows)
      read.push(await meter.rowsRead(work))
    }
    const [few = 0, many = 0] = read
    return { small: few, large: many }
  }

  async function openToday(): Promise<number> {
    const { run } = await openRun(
      meter.db,
      { job: 'remind', appId, slot: TODAY },
      { triggeredBy: 'cron', state: 'running' },
      START,
    )
    await resetRanges(meter.db, run.id, appId)
    return run.id
  }

  const claim = (runId: number) =>
    claimDue(meter.db, world.account, {
      runId,
      date: TODAY,
      leaseMs: 15_000,
      now: START,
      read: 50,
      claim: 50,
    })

  test('a claim does not grow with the users who are not due', async () => {
    let runId = 0
    const read = await atTenTimes(
      4_000,
      async (db, rows) => {
        const counter = { app_id: `'${appId}'`, user_id: 'i', count: 1, last_date: TODAY }
        await fillTable(db, 'wx_message_push_status', counter, rows)
        await analyze(db, 'wx_message_push_status')
        runId = await openToday()
      },
      () => claim(runId),
    )
    expect(read.large).toBeLessThan(1.2 * read.small)
    expect(read.large).toBeLessThan(1_000)
  })

  test.each([
    ['one by one', 'i'],
    ['all at one moment', '7'],
  ])('a step of the sweep does not grow with the settled permits, which ran out %s', async (_, expire) => {
    const read = await atTenTimes(
      2_000,
      async (db, rows) => {
        const permit = { app_id: `'${appId}'`, open_id: 'i', user_id: 'i', form_id: 'i', status: 2, expire }
        await fillTable(db, 'wx_save_form_id', permit, rows)
        await analyze(db, 'wx_save_form_id')
      },
      async () => {
        let place = { expire: 0, id: 0 }
        for (let step = 0; step < 3; step++) {
          const next = await findPlace(meter.db, appId, place, START, 100)
          if (!next) throw new Error('There are more')
          expect(await findStale(meter.db, appId, place, next)).toEqual([])
          place = next
        }
      },
    )
    // Three steps of 100 rows: an index entry twice, and the row.
    expect(read.small).toBeLessThan(1_000)
    expect(read.large).toBeLessThan(1_000)
  })

  test('the accounts are found by as many rows as there are accounts', async () => {
    const permit = { open_id: 'i', user_id: 'i', form_id: 'i', expire: 1 }
    await fillTable(meter.db, 'wx_save_form_id', { app_id: "'wxA'", ...permit }, 5_000)
    await fillTable(meter.db, 'wx_save_form_id', { app_id: "'wxB'", ...permit }, 5_000)
    const read = await meter.rowsRead(async () => {
      expect(await findAppIds(meter.db)).toEqual(['wxA', 'wxB'])
    })
    expect(read).toBeLessThan(20)
  })
})
