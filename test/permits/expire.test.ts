import { setImmediate } from 'node:timers/promises'
import type { Knex } from 'knex'
import { describe, expect, test } from 'vitest'
import { expireStale, type Sweep } from '../../src/permits/expire.js'
import { createIngest } from '../../src/permits/ingest.js'
import { APP_ID, DAY_MS, HOUR_MS, MINUTE_MS, NOW } from '../helpers/constants.js'
import { dialects, useDatabase } from '../helpers/database.js'
import {
  addPermits,
  counts,
  isNoLook,
  openPool,
  permitRow,
  recordErrors,
  recordQueries,
  refuseRows,
  silentLog,
  statuses,
} from '../helpers/rows.js'
import { openSteppingPool } from '../helpers/stepping-pool.js'
import { wrongCounters } from '../migrations/old-tables.js'

const CHUNK = 999
const YESTERDAY = NOW - DAY_MS
/** No deadlock: on a busy machine a lock may be held for longer than the second for which it is waited at a time. */
const LOCK_WAIT = 'ER_LOCK_WAIT_TIMEOUT'

describe.each(dialects)('the sweep on %s', (dialect) => {
  const database = useDatabase(dialect)
  const { db } = database

  const sweep = (
    now: number,
    {
      on = db,
      signal = new AbortController().signal,
      onProgress = () => {},
      limits,
      ...rest
    }: Partial<Sweep> & {
      on?: Knex
      signal?: AbortSignal
      onProgress?: (expired: number) => void
      limits?: { examined: number; passSteps: number }
    } = {},
  ) =>
    expireStale(
      { db: on, log: silentLog, signal },
      { appId: APP_ID, slot: now, triggeredBy: 'cron', ...rest },
      now,
      onProgress,
      limits,
    )
  const runAt = (slot: number) => db('wx_job_run').where({ job: 'expire', slot }).first()
  const stalePermits = (n: number, users: number, expire = (_: number) => YESTERDAY) =>
    Array.from({ length: n }, (_, i) => ({ user_id: i % users, form_id: `stale-${i}`, expire: expire(i) }))

  test('expires the unspent permits that ran out, and counts their users down by just those', async () => {
    await addPermits(db, [
      { user_id: 1, form_id: 'stale', expire: NOW - 1 },
      { user_id: 1, form_id: 'just now', expire: NOW },
      { user_id: 1, form_id: 'valid', expire: NOW + 1 },
      { user_id: 2, form_id: 'stale 2a', expire: YESTERDAY },
      { user_id: 2, form_id: 'stale 2b', expire: 1 },
      { user_id: 2, form_id: 'valid 2', expire: NOW + DAY_MS },
      { user_id: 3, form_id: 'stale 3', expire: YESTERDAY },
      { user_id: 4, form_id: 'spent', expire: YESTERDAY, status: 1 },
      { user_id: 1, form_id: 'other account', expire: YESTERDAY, app_id: 'wxB' },
    ])
    expect(await sweep(NOW)).toEqual({ expired: 4, users: 3 })
    expect(await statuses(db)).toEqual({
      stale: 2,
      'just now': 0,
      valid: 0,
      'stale 2a': 2,
      'stale 2b': 2,
      'valid 2': 0,
      'stale 3': 2,
      spent: 1,
      'other account': 0,
    })
    expect(await counts(db)).toEqual({ 1: 2, 2: 1, 3: 0, 4: 0 })
    expect(await counts(db, 'wxB')).toEqual({ 1: 1 })
    expect(await runAt(NOW)).toMatchObject({
      state: 'done',
      reason: null,
      triggered_by: 'cron',
      expired: 4,
      expired_users: 3,
      swept_from: 0,
      swept_to: NOW,
      pass_started_at: NOW,
      pass_at: null,
      finished_at: NOW,
    })
  })

  test('goes in chunks, each in its own transaction', async () => {
    await addPermits(
      db,
      stalePermits(2_100, 70, (i) => YESTERDAY - (i % 5)),
    )
    const queries = recordQueries(db)
    const progress: number[] = []
    const report = await sweep(NOW, { onProgress: (expired) => progress.push(expired) })
    expect(report).toEqual({ expired: 2_100, users: 70 })
    expect(progress).toEqual([CHUNK, 2 * CHUNK, 2_100])
    // And one for the end of its run.
    expect(queries.filter(({ sql }) => /^commit/i.test(sql))).toHaveLength(3 + 1)
    // A list of ids, and one of their users.
    expect(Math.max(...queries.map(({ bindings }) => bindings.length))).toBeLessThan(CHUNK + 70 + 10)
    expect(await wrongCounters(db)).toEqual([])
  })

  test('the sweep of a backlog takes all permits of a user together, and writes each counter once', async () => {
    const users = 600
    await addPermits(
      db,
      stalePermits(5 * users, users, (i) => YESTERDAY + Math.floor(i / users)),
    )
    await addPermits(db, [{ user_id: 3, form_id: 'valid', expire: NOW + DAY_MS }])
    const queries = recordQueries(db)
    expect(await sweep(NOW)).toEqual({ expired: 5 * users, users })
    const writes = queries.filter(({ sql }) => /UPDATE wx_message_push_status/.test(sql))
    const written = writes.reduce(
      (sum, { sql }) => sum + (/IN \(([?,]+)\)/.exec(sql)?.[1]?.split(',').length ?? 0),
      0,
    )
    expect(written).toBe(users)
    expect(await counts(db)).toMatchObject({ 2: 0, 3: 1 })
    expect(await wrongCounters(db)).toEqual([])
  })

  test('the sweep of a backlog looks up no permit of a user whom it has cleared', async () => {
    const users = 1_200
    await addPermits(
      db,
      stalePermits(5 * users, users, (i) => YESTERDAY + Math.floor(i / users)),
    )
    const limits = { examined: users, passSteps: 1 }
    const queries = recordQueries(db)
    expect(await sweep(NOW, { limits })).toEqual({ expired: 5 * users, users })
    expect(queries.filter(({ sql }) => / AND status = 0 ORDER BY expire/.test(sql))).toHaveLength(1)
    expect(await runAt(NOW)).toMatchObject({ state: 'done', swept_to: NOW })
    expect(await wrongCounters(db)).toEqual([])
  })

  test('the sweep of a backlog takes everything, also beside a user who has more permits than a chunk', async () => {
    const many = Array.from({ length: 10 * CHUNK + 500 }, (_, i) => ({
      user_id: 1,
      form_id: `many-${i}`,
      expire: YESTERDAY + i,
    }))
    await addPermits(db, [...many, { user_id: 2, form_id: 'other', expire: YESTERDAY }])
    expect(await sweep(NOW)).toEqual({ expired: many.length + 1, users: 2 })
    expect(await counts(db)).toEqual({ 1: 0, 2: 0 })
  })

  test('the sweep does not begin a firing that another process has', async () => {
    await sweep(NOW)
    await addPermits(db, [{ user_id: 1, form_id: 'F', expire: YESTERDAY }])
    expect(await sweep(NOW + 1, { slot: NOW })).toBeUndefined()
    expect(await statuses(db)).toEqual({ F: 0 })
  })

  test('the sweep of one firing in two processes is one sweep', async () => {
    await addPermits(db, stalePermits(30, 3))
    const reports = await Promise.all([sweep(NOW), sweep(NOW)])
    expect(reports.filter((report) => report !== undefined)).toEqual([{ expired: 30, users: 3 }])
  })

  test('the sweep beside another sweep expires each permit once', async () => {
    await addPermits(db, stalePermits(3_000, 40))
    const second = dialect === 'mysql' ? openPool(database) : db
    const errors = [recordErrors(db, isNoLook), recordErrors(second, isNoLook)]
    const reports = await Promise.all([sweep(NOW), sweep(NOW + 1, { on: second })])
    if (second !== db) await second.destroy()
    expect(reports.reduce((sum, report) => sum + (report?.expired ?? 0), 0)).toBe(3_000)
    expect(new Set(Object.values(await statuses(db)))).toEqual(new Set([2]))
    expect(await wrongCounters(db)).toEqual([])
    expect(errors.flat().filter((code) => code !== LOCK_WAIT)).toEqual([])
  })

  test('the sweep beside an ingest for the same users meets no deadlock, and counters stay exact', async () => {
    await addPermits(db, stalePermits(4_000, 60))
    const second = dialect === 'mysql' ? openPool(database) : db
    const errors = [recordErrors(db, isNoLook), recordErrors(second, isNoLook)]
    const ingest = createIngest(second)
    let sweeping = true
    let uploaded = 0
    const upload = async (caller: number) => {
      while (sweeping) {
        const items = Array.from({ length: 20 }, () => ({
          appId: APP_ID,
          openId: 'o',
          userId: (uploaded * 7) % 60,
          formId: `fresh-${caller}-${uploaded++}`,
          source: 'form' as const,
          page: undefined,
          submittedAt: undefined,
        }))
        await ingest.upload(items, NOW)
        // As between two requests: SQLite answers without ever letting a timer of the sweep through.
        await setImmediate()
      }
    }
    const uploads = [1, 2, 3, 4].map(upload)
    const report = await sweep(NOW).finally(() => {
      sweeping = false
    })
    await Promise.all(uploads)
    if (second !== db) await second.destroy()
    expect(report).toEqual({ expired: 4_000, users: 60 })
    expect(uploaded).toBeGreaterThan(0)
    expect(await wrongCounters(db)).toEqual([])
    expect(errors.flat().filter((code) => code !== LOCK_WAIT)).toEqual([])
  })

  test('starts where the last one ended, less a day', async () => {
    await sweep(NOW)
    await sweep(NOW + 20 * MINUTE_MS)
    expect(await runAt(NOW + 20 * MINUTE_MS)).toMatchObject({
      swept_from: NOW - DAY_MS,
      swept_to: NOW + 20 * MINUTE_MS,
    })
  })

  test('the sweep does not look at rows below the mark, but a manual one and the daily full pass do', async () => {
    await sweep(NOW)
    const byHand = { user_id: 1, form_id: 'by hand', expire: NOW - 3 * DAY_MS }
    await addPermits(db, [byHand, { user_id: 1, form_id: 'late', expire: NOW - 23 * HOUR_MS }])
    expect(await sweep(NOW + HOUR_MS)).toEqual({ expired: 1, users: 1 })
    expect(await statuses(db)).toEqual({ 'by hand': 0, late: 2 })
    expect(await sweep(NOW + 2 * HOUR_MS, { triggeredBy: 'manual' })).toEqual({ expired: 1, users: 1 })

    await addPermits(db, [{ ...byHand, form_id: 'by hand again' }])
    const dayLater = NOW + 2 * HOUR_MS + DAY_MS
    expect(await sweep(dayLater - MINUTE_MS)).toEqual({ expired: 0, users: 0 })
    expect(await sweep(dayLater + MINUTE_MS)).toEqual({ expired: 1, users: 1 })
    expect(await runAt(dayLater + MINUTE_MS)).toMatchObject({
      pass_started_at: dayLater + MINUTE_MS,
      pass_at: null,
    })
    expect(await wrongCounters(db)).toEqual([])
  })

  test('the sweep of one account does not start where another account’s ended', async () => {
    await sweep(NOW)
    await addPermits(db, [{ user_id: 1, app_id: 'wxB', expire: NOW - 5 * DAY_MS }])
    expect(await sweep(NOW + 1, { appId: 'wxB' })).toEqual({ expired: 1, users: 1 })
  })

  test('the sweep that is stopped leaves whole chunks, and the next one goes on from the same mark', async () => {
    await sweep(NOW - HOUR_MS)
    await addPermits(db, stalePermits(2_500, 50))
    const stop = new AbortController()
    const report = await sweep(NOW, { signal: stop.signal, onProgress: () => stop.abort() })
    // User by user, 50 permits each.
    expect(report).toEqual({ expired: CHUNK, users: 20 })
    expect(await runAt(NOW)).toMatchObject({ state: 'paused', reason: 'stopped', expired: CHUNK })
    expect(await wrongCounters(db)).toEqual([])
    expect(await sweep(NOW + 1)).toMatchObject({ expired: 2_500 - CHUNK })
    expect(await runAt(NOW + 1)).toMatchObject({ state: 'done', swept_from: NOW - HOUR_MS - DAY_MS })
  })

  test('the sweep that was cut short goes on where it stopped, also through rows that are all settled', async () => {
    const settled = (n: number) => ({
      user_id: n,
      form_id: `settled-${n}`,
      status: 2,
      expire: NOW - 90 * DAY_MS + n,
    })
    await addPermits(db, [
      ...Array.from({ length: 100 }, (_, n) => settled(n)),
      { user_id: 1, form_id: 'first', expire: NOW - 30 * DAY_MS },
      { user_id: 2, form_id: 'second', expire: NOW - 20 * DAY_MS },
      { user_id: 3, form_id: 'third', expire: NOW - 10 * DAY_MS },
    ])
    const refused = await refuseRows(db, 'wx_message_push_status', 'UPDATE', 'NEW.user_id = 2')
    const limits = { examined: 1, passSteps: 1 }
    await expect(sweep(NOW, { limits })).rejects.toThrow('refused')
    await refused.allow()
    expect(await runAt(NOW)).toMatchObject({
      state: 'halted',
      expired: 1,
      expired_users: 1,
      swept_to: NOW - 30 * DAY_MS,
    })
    expect(await sweep(NOW + 1)).toEqual({ expired: 2, users: 2 })
    expect(await runAt(NOW + 1)).toMatchObject({ swept_from: NOW - 31 * DAY_MS, swept_to: NOW + 1 })
  })

  test('takes the daily pass in pieces, and finds rows by hand far below the mark when it comes by', async () => {
    await sweep(NOW - DAY_MS)
    const old = (n: number) => NOW - 90 * DAY_MS + n
    await addPermits(
      db,
      Array.from({ length: 10 }, (_, n) => ({ user_id: n, form_id: `${n}`, status: 2, expire: old(n) })),
    )
    await addPermits(db, [{ user_id: 7, form_id: 'by hand', expire: old(7) }])
    const limits = { examined: 2, passSteps: 2 }
    const sweeps = []
    for (let n = 0; n < 4; n++) {
      const report = await sweep(NOW + n, { limits })
      sweeps.push({ expired: report?.expired, passAt: (await runAt(NOW + n))?.pass_at })
    }
    expect(sweeps).toEqual([
      { expired: 0, passAt: old(3) },
      // Begins at the row where it stopped, which may have others of its `expire`.
      { expired: 0, passAt: old(6) },
      { expired: 1, passAt: old(8) },
      { expired: 0, passAt: null },
    ])
    expect(await statuses(db)).toMatchObject({ 'by hand': 2 })
    expect(await wrongCounters(db)).toEqual([])
  })

  test('goes on with the daily pass where the process died, in another one', async () => {
    await sweep(NOW - DAY_MS)
    const old = (n: number) => NOW - 90 * DAY_MS + n
    await addPermits(
      db,
      Array.from({ length: 250 }, (_, n) => ({ user_id: n, form_id: `${n}`, status: 2, expire: old(n) })),
    )
    await addPermits(db, [
      { user_id: 150, form_id: 'before it died', expire: old(150) },
      { user_id: 249, form_id: 'after it died', expire: old(249) },
    ])
    const dying = openPool(database)
    const limits = { examined: 1, passSteps: 1_000 }
    const onProgress = () => void dying.destroy()
    await expect(sweep(NOW, { on: dying, limits, onProgress })).rejects.toThrow()
    expect(await runAt(NOW)).toMatchObject({ state: 'running' })

    const queries = recordQueries(db)
    expect(await sweep(NOW + 1, { limits })).toMatchObject({ expired: 1 })
    const places = queries
      .filter(({ sql }) => sql.includes('OFFSET'))
      .map(({ bindings }) => Number(bindings[1]))
    // What it wrote down last, some steps before its end.
    expect(places.find((expire) => expire <= old(249))).toBe(old(99))
    expect(await statuses(db)).toMatchObject({ 'before it died': 2, 'after it died': 2 })
    expect(await runAt(NOW + 1)).toMatchObject({ state: 'done', pass_at: null })
    expect(await wrongCounters(db)).toEqual([])
  })

  test('comes to the end of permits that all ran out at one moment', async () => {
    await addPermits(db, stalePermits(25, 5))
    const limits = { examined: 4, passSteps: 1 }
    expect(await sweep(NOW, { limits })).toEqual({ expired: 25, users: 5 })
    await addPermits(
      db,
      Array.from({ length: 25 }, (_, n) => ({ user_id: n, form_id: `hand-${n}`, expire: 1_000 })),
    )
    expect(await sweep(NOW + DAY_MS, { limits })).toEqual({ expired: 4, users: 4 })
    // It may not stop again where it began.
    expect(await sweep(NOW + DAY_MS + 1, { limits })).toEqual({ expired: 21, users: 21 })
    expect(await wrongCounters(db)).toEqual([])
  })

  test('counts a user once, in however many chunks the permits are', async () => {
    await addPermits(
      db,
      stalePermits(30, 3, (i) => YESTERDAY - i),
    )
    expect(await sweep(NOW, { limits: { examined: 4, passSteps: 1 } })).toEqual({ expired: 30, users: 3 })
    await addPermits(db, [
      { user_id: 0, form_id: 'far below', expire: 5 },
      { user_id: 9, form_id: 'far below too', expire: 6 },
      { user_id: 0, form_id: 'just now', expire: NOW + 1 },
    ])
    expect(await sweep(NOW + DAY_MS)).toEqual({ expired: 3, users: 2 })
  })

  test('the sweep that the database refuses is recorded as halted, and nothing is half done', async () => {
    await addPermits(db, stalePermits(10, 2))
    const refused = await refuseRows(db, 'wx_message_push_status', 'UPDATE', 'NEW.user_id = 1')
    await expect(sweep(NOW)).rejects.toThrow('refused')
    await refused.allow()
    expect(await runAt(NOW)).toMatchObject({ state: 'halted' })
    expect(new Set(Object.values(await statuses(db)))).toEqual(new Set([0]))
    expect(await wrongCounters(db)).toEqual([])
    expect(await sweep(NOW + 1)).toEqual({ expired: 10, users: 2 })
  })

  test('stops a counter at 0 that somebody had set too low', async () => {
    await addPermits(db, stalePermits(5, 1))
    await db('wx_message_push_status').update({ count: 2 })
    expect(await sweep(NOW)).toEqual({ expired: 5, users: 1 })
    expect(await counts(db)).toEqual({ 0: 0 })
  })
})

describe('the sweep on MySQL', { tags: ['mysql'] }, () => {
  const database = useDatabase('mysql')
  const { db } = database
  const sweep = (now: number, on = db) =>
    expireStale(
      { db: on, log: silentLog, signal: new AbortController().signal },
      { appId: APP_ID, slot: now, triggeredBy: 'cron' },
      now,
    )
  const hold = async (formId: string) => {
    const holder = await db.transaction()
    await holder.raw('SELECT id FROM wx_save_form_id WHERE form_id = ? AND app_id = ? FOR UPDATE', [
      formId,
      APP_ID,
    ])
    return holder
  }
  /** Of 600 users, three each: more than a chunk. */
  const backlog = Array.from({ length: 1_800 }, (_, i) => ({
    user_id: i % 600,
    form_id: `f${i}`,
    expire: NOW - 3 * DAY_MS + i,
  }))

  test('passes over a permit that somebody holds, and the next one finds it', async () => {
    const held = permitRow({ user_id: 1, form_id: 'held', expire: NOW - 3 * DAY_MS })
    await addPermits(db, [held, { user_id: 1, form_id: 'free', expire: YESTERDAY }])
    const holder = await hold('held')
    expect(await sweep(NOW)).toEqual({ expired: 1, users: 1 })
    await holder.rollback()
    expect(await statuses(db)).toEqual({ held: 0, free: 2 })
    expect(await db('wx_job_run').first()).toMatchObject({ state: 'done', swept_to: held.expire })
    expect(await sweep(NOW + HOUR_MS)).toEqual({ expired: 1, users: 1 })
    expect(await wrongCounters(db)).toEqual([])
  })

  test('passes over a permit of a backlog that somebody holds, waits for nobody, and the next one finds it', async () => {
    await addPermits(db, backlog)
    const holder = await hold('f1207')
    const errors = recordErrors(db, isNoLook)
    expect(await sweep(NOW)).toEqual({ expired: 1_799, users: 600 })
    await holder.rollback()
    expect(errors).toEqual([])
    expect(await db('wx_save_form_id').where({ status: 0 }).pluck('form_id')).toEqual(['f1207'])
    expect(await db('wx_job_run').first()).toMatchObject({ swept_to: backlog[1207]?.expire })
    expect(await wrongCounters(db)).toEqual([])
    expect(await sweep(NOW + HOUR_MS)).toEqual({ expired: 1, users: 1 })
    expect(await wrongCounters(db)).toEqual([])
  })

  test('counts a permit that becomes unspent between the lock and the update of a backlog', async () => {
    await addPermits(db, [...backlog, { user_id: 7, form_id: 'back', expire: NOW - 2 * DAY_MS, status: 1 }])
    const sweeper = openSteppingPool(database)
    try {
      const stop = sweeper.stop('before', /^UPDATE wx_save_form_id/)
      const sweeping = sweep(NOW, sweeper.db)
      await stop.reached
      // Spent, so the look has let go of it.
      await db('wx_save_form_id').where({ form_id: 'back' }).update({ status: 0 })
      stop.goOn()
      // The counter of user 7 was 3, and is not below 0 afterwards: by hand, nobody has counted it up.
      expect(await sweeping).toEqual({ expired: 1_801, users: 600 })
      expect(await db('wx_save_form_id').where({ status: 0 }).pluck('form_id')).toEqual([])
      expect(await wrongCounters(db)).toEqual([])
    } finally {
      await sweeper.close()
    }
  })
})
