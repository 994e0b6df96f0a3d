import type { Knex } from 'knex'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Account } from '../../src/account.js'
import { NEVER_EXPIRES } from '../../src/books/index.js'
import { selectRows } from '../../src/db/sql.js'
import { findOrAddCard } from '../../src/messages/card-store.js'
import { findUnfinished, lockLapsedClaims } from '../../src/messages/lease-store.js'
import { countOpen, MOST_COUNTED } from '../../src/messages/open-store.js'
import { takeDueReminders } from '../../src/messages/retry-store.js'
import { takeInTurns } from '../../src/messages/take-turns.js'
import { reportSubscription } from '../../src/permits/report-subscription.js'
import { findAppIds, findEntries, findPlace, findStale } from '../../src/permits/store.js'
import { claimDue } from '../../src/reminders/claim.js'
import { dayOf } from '../../src/reminders/due-store.js'
import { countStandings } from '../../src/reminders/store.js'
import { readAged, readMessages, readRuns } from '../../src/retention/store.js'
import { openRun } from '../../src/runs/occurrences.js'
import { resetRanges } from '../../src/runs/ranges.js'
import { findWork } from '../../src/submitted/due-store.js'
import { DAY_MS, NOW, TODAY } from '../helpers/constants.js'
import { analyze, fillTable } from '../helpers/fill.js'
import { type Meter, openMeter } from '../helpers/rows-read.js'
import { useWorld } from '../helpers/world.js'

// @module-tag mysql

const TIMES = { created_at: 1, updated_at: 1 }

/** What a statement reads must not grow with the table. Compared at ten times the rows, and never by the clock. */
describe('rows that MySQL reads', () => {
  const world = useWorld('mysql', { leaves: 'anything' })
  const { appId } = world.account
  let meter: Meter

  beforeAll(() => {
    meter = openMeter(world.database)
  })
  afterAll(() => meter.close())

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
      NOW,
    )
    await meter.db.transaction((trx) => resetRanges(trx, run.id, appId))
    return run.id
  }

  async function claim(runId: number, changes: Partial<Account> = {}, areFewDue = false) {
    const account = { ...world.account, ...changes }
    const card = await findOrAddCard(world.db, account, NOW)
    const options = { runId, date: TODAY, card, leaseMs: 15_000, now: NOW, examine: 50, claim: 50, areFewDue }
    return claimDue(meter.db, account, options)
  }

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
    ['who run out of permits one by one', false],
    ['among whom few are due', true],
  ])('a claim reads a few rows for each of the users %s, however many there are', async (_, areFewDue) => {
    let runId = 0
    const app_id = `'${appId}'`
    const read = await atTenTimes(
      2_000,
      async (db, rows) => {
        await fillTable(db, 'wx_message_push_status', { app_id, user_id: 'i', count: 1 }, rows)
        const expire = `CASE WHEN i % 10 = 0 THEN ${NOW + DAY_MS} ELSE 1 END`
        const permit = { app_id, open_id: 'i', user_id: 'i', form_id: 'i', expire }
        await fillTable(db, 'wx_save_form_id', permit, rows)
        await fillTable(db, 'wx_user', { app_id, open_id: 'i', user_id: 'i', ...TIMES }, rows)
        const signIn = { app_id, user_id: '2 * i', day: TODAY - 1, streak: 1, created_at: 1 }
        await fillTable(db, 'wx_sign_in', signIn, rows / 2)
        await analyze(db, 'wx_message_push_status', 'wx_save_form_id', 'wx_user', 'wx_sign_in')
        runId = await openToday()
      },
      async () => {
        expect(await claim(runId, {}, areFewDue)).toMatchObject({ messages: { length: 5 } })
      },
    )
    expect(read.large).toBeLessThan(1.2 * read.small)
    expect(read.large).toBeLessThan(1_000)
  })

  test.each([
    ['who are reminded already', TODAY, 0],
    ['who have left', 0, 1],
  ])('a claim of followers does not grow with those %s', async (_, last_date, blocked) => {
    let runId = 0
    const app_id = `'${appId}'`
    const read = await atTenTimes(
      4_000,
      async (db, rows) => {
        await fillTable(db, 'wx_message_push_status', { app_id, user_id: 'i', count: 0, last_date }, rows)
        const person = { app_id, open_id: 'i', user_id: 'i', ...TIMES }
        await fillTable(db, 'wx_user', blocked ? { ...person, blocked_at: 1 } : person, rows)
        await analyze(db, 'wx_message_push_status', 'wx_user')
        runId = await openToday()
      },
      () => claim(runId, { channel: 'official' }),
    )
    expect(read.large).toBeLessThan(1.2 * read.small)
    expect(read.large).toBeLessThan(1_000)
  })

  test('a claim of followers reads a few rows for each of them, however many there are', async () => {
    let runId = 0
    const app_id = `'${appId}'`
    const read = await atTenTimes(
      4_000,
      async (db, rows) => {
        await fillTable(db, 'wx_message_push_status', { app_id, user_id: 'i', count: 0 }, rows)
        await fillTable(db, 'wx_user', { app_id, open_id: 'i', user_id: 'i', ...TIMES }, rows)
        await analyze(db, 'wx_message_push_status', 'wx_user')
        runId = await openToday()
      },
      async () => {
        expect(await claim(runId, { channel: 'official' })).toMatchObject({ messages: { length: 50 } })
      },
    )
    expect(read.large).toBeLessThan(1.2 * read.small)
    expect(read.large).toBeLessThan(2_000)
  })

  test('standings read as much for each user of many as for each of few', async () => {
    const app_id = `'${appId}'`
    const day = dayOf(world.account, TODAY, NOW)
    const read = await atTenTimes(
      1_000,
      async (db, rows) => {
        const expire = NOW + DAY_MS
        await fillTable(db, 'wx_message_push_status', { app_id, user_id: 'i', count: 1 }, rows)
        const permit = { app_id, open_id: 'i', user_id: `i % ${rows}`, form_id: 'i', expire }
        await fillTable(db, 'wx_save_form_id', permit, 2 * rows)
        await fillTable(db, 'wx_user', { app_id, open_id: 'i', user_id: 'i', ...TIMES }, rows)
        await fillTable(
          db,
          'wx_sign_in',
          { app_id, user_id: 'i', day: TODAY, streak: 1, created_at: 1 },
          rows / 2,
        )
        await analyze(db, 'wx_message_push_status', 'wx_save_form_id', 'wx_user', 'wx_sign_in')
      },
      async () => {
        const { due, signed_in } = await countStandings(meter.db, appId, day)
        expect(due).toBe(signed_in)
      },
    )
    expect(read.large / 10_000).toBeLessThan((1.2 * read.small) / 1_000)
    expect(read.small / 1_000).toBeLessThan(12)
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
          const next = await findPlace(meter.db, appId, place, NOW, 100)
          if (!next) throw new Error('There are more')
          expect(await findStale(meter.db, appId, place, next)).toEqual([])
          expect((await findEntries(meter.db, appId, place, NOW, 100)).at(-1)).toMatchObject(next)
          place = next
        }
      },
    )
    // Three steps of 100 rows: an index entry three times, and the row. MySQL reads two of them twice.
    const [server] = await selectRows<{ version: string }>(meter.db, 'SELECT VERSION() AS version')
    const most = server?.version.includes('MariaDB') ? 1_300 : 1_600
    expect(read.small).toBeLessThan(most)
    expect(read.large).toBeLessThan(most)
  })

  test('messages in hand and retries are found beside any number of settled ones and of other accounts’', async () => {
    const read = await atTenTimes(
      500,
      async (db, rows) => {
        const message = {
          app_id: "'wxOther'",
          state: "'queued'",
          user_id: 'i',
          claim_id: 'i',
          card_id: 1,
          ...TIMES,
        }
        await fillTable(db, 'wx_push_message', message, rows)
        await fillTable(db, 'wx_claim', { app_id: "'wxOther'", lease_until: 1, created_at: 1 }, rows)
        const retry = { message_id: 'i', app_id: "'wxOther'", next_attempt_at: 1 }
        await fillTable(db, 'wx_message_retry', retry, rows)
        const own = { ...message, app_id: `'${appId}'`, state: "'delivered'" }
        await fillTable(db, 'wx_push_message', own, 10 * rows)
        await analyze(db, 'wx_push_message', 'wx_claim', 'wx_message_retry')
      },
      () =>
        meter.db.transaction(async (trx) => {
          expect(await lockLapsedClaims(trx, appId, 'reminder', 50)).toEqual([])
          expect(await takeDueReminders(trx, appId, NOW, 50)).toEqual([])
          expect(await findUnfinished(trx, appId)).toEqual({ sending: false, nextRetryAt: undefined })
        }),
    )
    expect(read.small).toBeLessThan(10)
    expect(read.large).toBeLessThan(10)
  })

  test('a claim of submitted messages does not grow with those that wait for later, nor with those of one backend', async () => {
    const read = await atTenTimes(
      4_000,
      async (db, rows) => {
        const wait = { app_id: `'${appId}'`, kind: "'api'" }
        const later = { message_id: 'i', submitted_by: "'shop'", next_attempt_at: NOW + DAY_MS }
        await fillTable(db, 'wx_message_retry', { ...wait, ...later }, rows)
        const due = { message_id: '1000000 + i', submitted_by: "'flood'", next_attempt_at: 'i' }
        await fillTable(db, 'wx_message_retry', { ...wait, ...due }, rows)
        const few = { message_id: '2000000 + i', submitted_by: "'parcels'", next_attempt_at: NOW }
        await fillTable(db, 'wx_message_retry', { ...wait, ...few }, 3)
        await analyze(db, 'wx_message_retry')
      },
      () =>
        meter.db.transaction(async (trx) => {
          expect(await findWork(trx, appId, NOW)).toMatchObject({ due: true })
          const ids = await takeInTurns(trx, appId, { limit: 50, now: NOW, random: 0 })
          expect(ids).toHaveLength(50)
          expect(ids.filter((id) => id >= 2_000_000)).toHaveLength(3)
        }),
    )
    // Each row is found, and found again to be deleted.
    expect(read.small).toBeLessThan(250)
    expect(read.large).toBeLessThan(250)
  })

  test('what is not settled is counted so far and no further, however much waits', async () => {
    const read = await atTenTimes(
      9_000,
      async (db, rows) => {
        const wait = { app_id: `'${appId}'`, kind: "'api'", submitted_by: "'shop'" }
        await fillTable(
          db,
          'wx_message_retry',
          { ...wait, message_id: 'i', next_attempt_at: `${NOW} + 1 + i` },
          rows,
        )
        await analyze(db, 'wx_message_retry')
      },
      async () => {
        const { retriesDue, retriesLater, nextRetryAt } = await countOpen(meter.db, appId, NOW)
        expect([retriesDue, nextRetryAt]).toEqual([0, NOW + 1])
        expect(retriesLater).toBeGreaterThanOrEqual(9_000)
      },
    )
    // What was found is read again from where the server keeps it for the count.
    expect(read.small).toBeLessThan(3 * 9_000)
    expect(read.large).toBeLessThan(3 * MOST_COUNTED)
  })

  test('a tap does not grow with what its user and others have tapped', async () => {
    const person = { appId, openId: 'a', userId: 7, templateId: 't', result: 'accept', tapId: undefined }
    const now = NOW
    const read = await atTenTimes(
      2_400,
      async (db, rows) => {
        const permit = {
          app_id: `'${appId}'`,
          template_id: "'t'",
          source: "'subscribe'",
          expire: NEVER_EXPIRES,
        }
        const own = { open_id: "'a'", user_id: 7, form_id: "CONCAT('tap-', i)", status: 1 }
        const others = { open_id: 'i', user_id: '100 + i', form_id: "CONCAT('tap-other', i)", status: 0 }
        const tapped_at = `${now} - 60000 * i - 3600000`
        await fillTable(db, 'wx_save_form_id', { ...permit, ...own, tapped_at }, rows)
        await fillTable(db, 'wx_save_form_id', { ...permit, ...others, tapped_at }, rows)
        await analyze(db, 'wx_save_form_id')
      },
      async () => {
        const tap = await reportSubscription(meter.db, { ...person, tappedAt: now }, now)
        expect(tap).toEqual({ outcome: 'accepted' })
      },
    )
    expect(read.small).toBeLessThan(50)
    expect(read.large).toBeLessThan(50)
  })

  test('a purge of one account does not grow with the rows of others', async () => {
    const app_id = "'wxOther'"
    const wanted = { appId: '', before: NOW, limit: 500 }
    const read = await atTenTimes(
      500,
      async (db, rows) => {
        const message = { user_id: 'i', claim_id: 1, card_id: 1, state: "'delivered'", settled_at: 1 }
        await fillTable(db, 'wx_push_message', { app_id, run_id: 'i', ...message, ...TIMES }, rows)
        const run = { job: "'remind'", slot: 'i', triggered_by: "'cron'", state: "'done'" }
        await fillTable(db, 'wx_job_run', { app_id, ...run, started_at: 1, updated_at: 1 }, rows)
        await fillTable(db, 'wx_callback_nonce', { app_id, mark: 'i', content: "'c'", received_at: 1 }, rows)
        const event = { open_id: 'i', event: "'debug'", event_time: 1, event_key: 'i', payload: "'{}'" }
        const end = { state: "'done'", trace_id: 'i', received_at: 1 }
        await fillTable(db, 'wx_callback_event', { app_id, ...event, ...end }, rows)
        const submitted = { user_id: 'i', kind: "'api'", claim_id: 1, card_id: 1, state: "'delivered'" }
        await fillTable(db, 'wx_push_message', { app_id, ...submitted, settled_at: 1, ...TIMES }, rows)
        await analyze(db, 'wx_push_message', 'wx_job_run', 'wx_callback_nonce', 'wx_callback_event')
      },
      async () => {
        const ours = { ...wanted, appId }
        for (const slice of [
          await readRuns(meter.db, 0, ours),
          await readAged(meter.db, 'wx_callback_nonce', ours),
          await readAged(meter.db, 'wx_callback_event', ours),
        ])
          expect(slice).toEqual({ old: [], next: undefined })
        // One page of those that no run has claimed, whoever they belong to.
        expect((await readMessages(meter.db, null, 0, { ...ours, limit: 100 })).old).toEqual([])
      },
    )
    expect(read.small).toBeLessThan(250)
    expect(read.large).toBeLessThan(250)
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
