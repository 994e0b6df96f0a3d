import { describe, expect, it } from 'vitest'
import { execute, selectRows } from '../../src/db/sql.js'
import { createLogger } from '../../src/lib/logger.js'
import { audit } from '../../src/operations/audit.js'
import { purgeOld } from '../../src/retention/purge.js'
import { DAY_MS } from '../helpers/constants.js'
import { dialects, useDatabase } from '../helpers/database.js'
import { refuseRows } from '../helpers/rows.js'
import { letWait } from '../helpers/waits.js'

const NOW = Date.UTC(2026, 10, 20, 4)
const OLD = NOW - 100 * DAY_MS
const YOUNG = NOW - 10 * DAY_MS
const PURGE = { appId: 'wx1', timezone: 'Asia/Shanghai', retentionDays: 90 }

describe.each(dialects)('the purge on %s', (dialect) => {
  const database = useDatabase(dialect)

  const purge = (now = NOW) =>
    purgeOld(
      {
        db: database.db,
        log: createLogger({ level: 'silent', secrets: [] }),
        signal: new AbortController().signal,
      },
      PURGE,
      now,
    )

  const ids = async (table: string): Promise<number[]> =>
    (await selectRows<{ id: number }>(database.db, `SELECT id FROM ${table} ORDER BY id`)).map(({ id }) => id)

  async function addPermit(permit: {
    id: number
    status: number
    at: number
    expire?: number
    messageId?: number
    userId?: number
  }) {
    const { id, status, at, expire = at + 7 * DAY_MS, messageId = 0, userId = id } = permit
    await execute(
      database.db,
      `INSERT INTO wx_save_form_id (id, app_id, open_id, user_id, form_id, expire, status, message_id, created_at, updated_at)
       VALUES (?, 'wx1', 'o1', ?, ?, ?, ?, ?, ?, ?)`,
      [id, userId, `f${id}`, expire, status, messageId, at, at],
    )
    await database
      .db('wx_message_push_status')
      .insert({ app_id: 'wx1', user_id: userId, count: status === 0 ? 1 : 0 })
      .onConflict(['app_id', 'user_id'])
      .ignore()
  }

  async function addMessage(message: {
    id: number
    permitId: number
    at: number
    settled: boolean
    runId?: number
  }) {
    const { id, permitId, at, settled, runId = null } = message
    await execute(
      database.db,
      `INSERT INTO wx_push_message (id, app_id, user_id, business_date, run_id, claim_id, permit_id, card_id, state, created_at,
         settled_at, updated_at)
       VALUES (?, 'wx1', ?, 20260101, ?, 1, ?, 1, ?, ?, ?, ?)`,
      [id, permitId, runId, permitId, settled ? 'delivered' : 'retry', at, settled ? at : 0, at],
    )
    if (!settled) await letWait(database.db, `id = ${id}`, at)
  }

  async function addRun(run: { id: number; slot: number; state: string; at: number }): Promise<void> {
    await execute(
      database.db,
      `INSERT INTO wx_job_run (id, job, app_id, slot, triggered_by, state, started_at, updated_at)
       VALUES (?, 'remind', 'wx1', ?, 'cron', ?, ?, ?)`,
      [run.id, run.slot, run.state, run.at, run.at],
    )
    await execute(database.db, 'INSERT INTO wx_job_cursor (run_id, range_no, cur, hi) VALUES (?, 0, 1, 1)', [
      run.id,
    ])
    await execute(
      database.db,
      "INSERT INTO wx_run_outcome (run_id, outcome, shard, messages) VALUES (?, 'retried', 1, 1)",
      [run.id],
    )
  }

  it('deletes an old message with its permit and run, and keeps young ones', async () => {
    await addRun({ id: 1, slot: 20260801, state: 'done', at: OLD })
    await addRun({ id: 2, slot: 20261110, state: 'done', at: YOUNG })
    await addPermit({ id: 1, status: 1, at: OLD, messageId: 1 })
    await addPermit({ id: 2, status: 1, at: YOUNG, messageId: 2 })
    await addMessage({ id: 1, permitId: 1, at: OLD, settled: true, runId: 1 })
    await addMessage({ id: 2, permitId: 2, at: YOUNG, settled: true, runId: 2 })
    expect((await audit(database.db, NOW, false)).ok).toBe(true)

    expect(await purge()).toEqual({ messages: 1, permits: 1, runs: 1, signIns: 0, events: 0, stops: 0 })

    expect(await ids('wx_push_message')).toEqual([2])
    expect(await ids('wx_save_form_id')).toEqual([2])
    expect(await selectRows(database.db, "SELECT id FROM wx_job_run WHERE job = 'remind'")).toEqual([
      { id: 2 },
    ])
    expect(await selectRows(database.db, 'SELECT run_id FROM wx_job_cursor')).toEqual([{ run_id: 2 }])
    expect(await selectRows(database.db, 'SELECT run_id FROM wx_run_outcome')).toEqual([{ run_id: 2 }])
    expect((await audit(database.db, NOW, false)).ok).toBe(true)
  })

  it('keeps what is not ended, however old: unspent permits, messages waiting, running runs', async () => {
    await addRun({ id: 1, slot: 20260801, state: 'running', at: OLD })
    await addPermit({ id: 1, status: 0, at: OLD })
    await addPermit({ id: 2, status: 1, at: OLD, messageId: 1 })
    await addMessage({ id: 1, permitId: 2, at: OLD, settled: false })

    expect(await purge()).toEqual({ messages: 0, permits: 0, runs: 0, signIns: 0, events: 0, stops: 0 })
    expect((await audit(database.db, NOW, false)).ok).toBe(true)
  })

  it('keeps a message while one of its permits stays, and deletes it with all of them', async () => {
    const edge = NOW - 90 * DAY_MS - 1
    await addPermit({ id: 1, status: 1, at: edge, expire: NOW - 90 * DAY_MS, messageId: 1 })
    await addMessage({ id: 1, permitId: 1, at: edge, settled: true })
    // Found dead on the way to the permit that was sent; that one has some days to go.
    await addPermit({ id: 2, status: 1, at: edge, expire: edge, messageId: 2, userId: 3 })
    await addPermit({ id: 3, status: 1, at: edge, expire: edge + 6 * DAY_MS, messageId: 2 })
    await addMessage({ id: 2, permitId: 3, at: edge, settled: true })
    await database.db('wx_save_form_id').where({ id: 2 }).update({ errcode: 41028 })

    expect(await purge()).toMatchObject({ messages: 0, permits: 0 })
    expect((await audit(database.db, NOW, false)).ok).toBe(true)
    expect(await purge(NOW + DAY_MS)).toMatchObject({ messages: 1, permits: 1 })
    expect(await ids('wx_push_message')).toEqual([2])
    expect(await ids('wx_save_form_id')).toEqual([2, 3])
    expect((await audit(database.db, NOW, false)).ok).toBe(true)
    expect(await purge(NOW + 7 * DAY_MS)).toMatchObject({ messages: 1, permits: 2 })
    expect((await audit(database.db, NOW, false)).ok).toBe(true)
  })

  it('leaves the rows of other accounts alone', async () => {
    await addRun({ id: 1, slot: 20260801, state: 'done', at: OLD })
    await addPermit({ id: 1, status: 1, at: OLD, messageId: 1 })
    await addPermit({ id: 2, status: 2, at: OLD })
    await addMessage({ id: 1, permitId: 1, at: OLD, settled: true })
    await database
      .db('wx_sign_in')
      .insert({ app_id: 'wx1', user_id: 1, day: 20260801, streak: 1, created_at: 0 })
    const tables = ['wx_job_run', 'wx_save_form_id', 'wx_push_message', 'wx_sign_in']
    for (const table of tables) await database.db(table).update({ app_id: 'wx2' })

    expect(await purge()).toEqual({ messages: 0, permits: 0, runs: 0, signIns: 0, events: 0, stops: 0 })
  })

  it('that the database refuses is recorded as halted, and is tried again some minutes later', async () => {
    await addPermit({ id: 1, status: 2, at: OLD })
    const refused = await refuseRows(database.db, 'wx_save_form_id', 'DELETE', 'OLD.id = 1')
    await expect(purge()).rejects.toThrow('refused')
    await refused.allow()
    const run = () => database.db('wx_job_run').where({ job: 'purge' }).first()
    expect(await run()).toMatchObject({ state: 'halted', reason: expect.stringContaining('database') })

    expect(await purge(NOW + 60_000)).toBeUndefined()
    const reports = await Promise.all([purge(NOW + 600_000), purge(NOW + 600_000)])
    expect(reports.filter(Boolean)).toEqual([
      { messages: 0, permits: 1, runs: 0, signIns: 0, events: 0, stops: 0 },
    ])
    expect(await run()).toMatchObject({ state: 'done', reason: null, purged: 1 })
  })

  it('ends the sweep of a process that was killed, and leaves one that may be at work', async () => {
    await addRun({ id: 1, slot: NOW - DAY_MS, state: 'running', at: NOW - DAY_MS })
    await addRun({ id: 2, slot: NOW - 60_000, state: 'running', at: NOW - 60_000 })
    await database.db('wx_job_run').update({ job: 'expire' })
    expect(await purge()).toBeDefined()
    expect(await database.db('wx_job_run').where({ job: 'expire' }).orderBy('id')).toMatchObject([
      { id: 1, state: 'halted', reason: 'its process ended' },
      { id: 2, state: 'running' },
    ])
  })

  it('ends the run of a process that died in its purge on another day', async () => {
    await addRun({ id: 1, slot: 20261119, state: 'running', at: NOW - DAY_MS })
    await database.db('wx_job_run').update({ job: 'purge' })
    expect(await purge()).toBeDefined()
    expect(await database.db('wx_job_run').where({ id: 1 }).first()).toMatchObject({
      state: 'halted',
      reason: 'its process ended',
    })
  })

  it('goes by the time a permit ran out where the row has no times of ours, as adopted ones', async () => {
    await addPermit({ id: 1, status: 2, at: 0, expire: OLD })
    await addPermit({ id: 2, status: 2, at: 0, expire: YOUNG })

    await purge()

    expect(await ids('wx_save_form_id')).toEqual([2])
  })

  it('keeps sign-ins of the retention, and the streak that older ones led to', async () => {
    for (const [day, streak] of [
      [20260801, 1],
      [20260802, 2],
      [20261119, 40],
    ]) {
      await execute(
        database.db,
        `INSERT INTO wx_sign_in (app_id, user_id, day, streak, created_at) VALUES ('wx1', 1, ?, ?, 0)`,
        [day ?? 0, streak ?? 0],
      )
    }

    expect(await purge()).toMatchObject({ signIns: 2 })
    expect(await selectRows(database.db, 'SELECT day, streak FROM wx_sign_in')).toEqual([
      { day: 20261119, streak: 40 },
    ])
  })

  it('deletes old events of WeChat, and marks of pushes that are a day old', async () => {
    for (const [id, at] of [
      [1, OLD],
      [2, YOUNG],
      [3, NOW],
    ] as const) {
      await execute(
        database.db,
        `INSERT INTO wx_callback_event (id, app_id, open_id, event, event_time, event_key, payload, state, trace_id, received_at)
         VALUES (?, 'wx1', 'o1', 'debug', 1, ?, '{}', 'done', 't', ?)`,
        [id, `key ${id}`, at],
      )
      await execute(
        database.db,
        "INSERT INTO wx_callback_nonce (id, app_id, mark, content, received_at) VALUES (?, 'wx1', ?, 'c', ?)",
        [id, `mark ${id}`, at],
      )
    }

    expect(await purge()).toMatchObject({ events: 1 })
    expect(await ids('wx_callback_event')).toEqual([2, 3])
    expect(await ids('wx_callback_nonce')).toEqual([3])
  })

  it('deletes what operators did long ago', async () => {
    for (const [id, at] of [
      [1, OLD],
      [2, YOUNG],
    ] as const) {
      await execute(
        database.db,
        `INSERT INTO wx_operator_action (id, app_id, at, who, from_address, action, details, outcome)
         VALUES (?, 'wx1', ?, 'Wang', '10.0.0.x', 'run', '{}', 'done')`,
        [id, at],
      )
    }
    await purge()
    expect(await ids('wx_operator_action')).toEqual([2])
  })

  it('deletes old summaries of days and forecasts', async () => {
    for (const day of [20260801, 20261119]) {
      await execute(database.db, "INSERT INTO wx_day_summary (app_id, day) VALUES ('wx1', ?)", [day])
      await execute(
        database.db,
        `INSERT INTO wx_forecast_day (app_id, made_on, day, reachable, permits_left, going_dark, as_of)
         VALUES ('wx1', ?, 20261201, 1, 1, 1, 1)`,
        [day],
      )
    }

    await purge()

    expect(await database.db('wx_day_summary').pluck('day')).toEqual([20261119])
    expect(await database.db('wx_forecast_day').pluck('made_on')).toEqual([20261119])
  })

  it('deletes opt-outs and blocks that have been over for long', async () => {
    for (const [id, at] of [
      [1, OLD],
      [2, YOUNG],
    ] as const)
      await database
        .db('wx_stop_history')
        .insert({ id, app_id: 'wx1', user_id: 1, kind: 'block', began_at: 1, ended_at: at })

    expect(await purge()).toMatchObject({ stops: 1 })
    expect(await ids('wx_stop_history')).toEqual([2])
  })

  it('is done by one process a day', async () => {
    const both = await Promise.all([purge(), purge()])
    expect(both.filter(Boolean)).toHaveLength(1)
    expect(await purge()).toBeUndefined()
  })

  it('works through more rows than one batch holds', async () => {
    for (let id = 1; id <= 1_203; id++) await addPermit({ id, status: 2, at: OLD })

    expect(await purge()).toMatchObject({ permits: 1_203 })
    expect(await ids('wx_save_form_id')).toEqual([])
  })
})
