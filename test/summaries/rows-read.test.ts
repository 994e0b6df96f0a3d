import type { Knex } from 'knex'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { addDays } from '../../src/lib/business-date.js'
import { backTest } from '../../src/summaries/back-test.js'
import { comingDays } from '../../src/summaries/coming-days.js'
import { countSignIns, countStandings } from '../../src/summaries/day-store.js'
import { findFlow } from '../../src/summaries/flow.js'
import { findForecast } from '../../src/summaries/forecast.js'
import { findGoingDark } from '../../src/summaries/going-dark.js'
import {
  countGranted,
  findChunkEnd,
  findLargestBefore,
  findLargestId,
} from '../../src/summaries/granted-store.js'
import { findHistory } from '../../src/summaries/history.js'
import { summarizeJob } from '../../src/summaries/job.js'
import { countProfiles } from '../../src/summaries/profile-store.js'
import { findStock } from '../../src/summaries/stock.js'
import { countStock } from '../../src/summaries/stock-store.js'
import { summarize } from '../../src/summaries/summarize.js'
import { DAY_MS, HOUR_MS, NOW, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { analyze, fillTable } from '../helpers/fill.js'
import { recordQueries, silentLog } from '../helpers/rows.js'
import { openMeter } from '../helpers/rows-read.js'
import { useWorld } from '../helpers/world.js'

const USERS = 20_000
const { signal } = new AbortController()

/** 20,000 users, each with a permit that is valid and three old ones, a message, a sign-in and a year of sweeps. */
async function fill(db: Knex, appId: string): Promise<void> {
  const app = `'${appId}'`
  const times = { created_at: NOW - HOUR_MS, updated_at: NOW - HOUR_MS }
  await fillTable(
    db,
    'wx_save_form_id',
    {
      app_id: app,
      open_id: `i % ${USERS}`,
      user_id: `i % ${USERS}`,
      form_id: 'i',
      expire: `CASE WHEN i < ${USERS} THEN ${NOW + DAY_MS} + i * 20000 ELSE ${NOW - 9 * DAY_MS} + i END`,
      status: `CASE WHEN i < ${USERS} THEN 0 ELSE 1 END`,
      ...times,
    },
    4 * USERS,
  )
  await fillTable(db, 'wx_message_push_status', { app_id: app, user_id: 'i', count: 1, ...times }, USERS)
  await fillTable(db, 'wx_user', { app_id: app, open_id: 'i', user_id: 'i', ...times }, USERS)
  const run = { job: "'expire'", triggered_by: "'cron'", state: "'done'", started_at: 1, updated_at: 1 }
  await fillTable(db, 'wx_job_run', { ...run, app_id: app, slot: `${NOW} - i * 1200000` }, USERS)
  for (const [i, day] of [TODAY, addDays(TODAY, -1), addDays(TODAY, -2)].entries()) {
    await fillTable(db, 'wx_sign_in', { app_id: app, user_id: 'i', day, streak: 1, created_at: NOW }, USERS)
    const runId = 100_000 + i
    await fillTable(
      db,
      'wx_job_run',
      {
        ...run,
        id: runId,
        job: "'remind'",
        app_id: app,
        slot: day,
        delivered: USERS,
        started_at: NOW,
        finished_at: NOW,
      },
      1,
    )
    await fillTable(
      db,
      'wx_push_message',
      {
        app_id: app,
        user_id: 'i',
        business_date: day,
        run_id: runId,
        claim_id: 1,
        card_id: 1,
        state: "'delivered'",
        ...times,
      },
      USERS,
    )
  }
  await analyze(
    db,
    'wx_save_form_id',
    'wx_message_push_status',
    'wx_user',
    'wx_job_run',
    'wx_sign_in',
    'wx_push_message',
  )
}

describe.each(dialects)('what is read for the summaries of 20,000 users on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'its rows' })
  const { account } = world
  const { appId } = account
  const page = { range_no: 0, cur: 4_000, hi: 5_000 }
  const span = { day: TODAY, endsAt: NOW + DAY_MS, beganAt: NOW }
  const later = NOW + 5 * HOUR_MS

  beforeAll(async () => {
    await fill(world.db, appId)
    await summarize({ db: world.db, log: silentLog, now: () => NOW, signal }, account)
  })

  /** Each with the most rows and index entries that it may read on MySQL. A page has 1,000 users. */
  const READS: [string, number, (db: Knex) => Promise<unknown>][] = [
    [
      'the profiles of a page',
      // Counter, sign-in, message, person and permit of each user, the old permits in the index, and the groups.
      25_000,
      (db) => countProfiles(db, { account, page, days: comingDays(account, 31, NOW).days }),
    ],
    ['the stock of a page', 12_000, (db) => countStock(db, appId, page, NOW)],
    ['the standings of a page', 5_000, (db) => countStandings(db, appId, page, span)],
    ['the sign-ins of a page', 1_100, (db) => countSignIns(db, appId, page, TODAY)],
    ['the end of a chunk of new permits', 2_100, (db) => findChunkEnd(db, 10_000, 90_000)],
    [
      'a chunk of new permits',
      4_200,
      (db) => countGranted(db, appId, { after: 10_000, upTo: 12_000, firstId: 0 }),
    ],
    ['the largest id', 5, (db) => findLargestId(db)],
    ['the newest permits', 20_000, (db) => findLargestBefore(db, NOW)],
    [
      'whether anything is to be summarized',
      20,
      (db) => summarizeJob({ db, log: silentLog, now: () => NOW }, account).look(signal),
    ],
    ['the forecast', 5_000, (db) => findForecast(db, account, { days: 30 }, later)],
    ['the stock', 2_200, (db) => findStock(db, account, later)],
    ['the flow', 300, (db) => findFlow(db, account, { days: 90 }, later)],
    ['the history', 600, (db) => findHistory(db, account, { days: 90 }, later)],
    ['a back-test', 600, (db) => backTest(db, account, later)],
    [
      'a page of those who go dark',
      28_000,
      (db) => findGoingDark(db, account, { date: addDays(TODAY, 29), limit: 100, after: 2_000 }, NOW),
    ],
  ]

  if (dialect === 'mysql') {
    const meter = openMeter(world.database)
    afterAll(() => meter.close())
    test.each(READS)('%s: at most %i rows', async (_, most, work) => {
      const read = await meter.rowsRead(() => work(meter.db))
      expect(read).toBeLessThan(most)
      expect(read).toBeGreaterThan(0)
    })
    return
  }

  /** What SQLite reads in full is the result of a subquery, or a kept table of few rows. */
  test.each(READS)('%s: by an index', async (_, _most, work) => {
    const queries = recordQueries(world.db)
    await work(world.db)
    expect(queries.length).toBeGreaterThan(0)
    for (const { sql, bindings } of queries.filter((one) => /^\s*SELECT/.test(one.sql))) {
      const values = bindings as (string | number | null)[]
      const plan = await selectRows<{ detail: string }>(world.db, `EXPLAIN QUERY PLAN ${sql}`, values)
      const scans = plan.filter(({ detail }) => /^SCAN (?:[pfmsur]\b|wx_)/.test(detail))
      // LIMIT ends it: the newest permits are read in the order of ids.
      expect(
        scans.filter(() => !/ORDER BY id DESC LIMIT/.test(sql)),
        sql,
      ).toEqual([])
    }
    world.db.removeAllListeners('query')
  })
})
