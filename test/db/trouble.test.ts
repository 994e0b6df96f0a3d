import knex, { type Knex } from 'knex'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { knexConfig, openDatabase } from '../../src/db/connect.js'
import { whyUnavailable } from '../../src/db/errors.js'
import { execute } from '../../src/db/sql.js'
import { inTransaction } from '../../src/db/transaction.js'
import { expireStale } from '../../src/permits/expire.js'
import { claimAll, openTodaysRun } from '../helpers/claims.js'
import { DAY_MS, HOUR_MS, TODAY } from '../helpers/constants.js'
import { recordErrors, silentLog } from '../helpers/rows.js'
import { someoneWaits } from '../helpers/stepping-pool.js'
import { startTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.js'
import { user, users } from '../helpers/users.js'
import { type Process, useWorld } from '../helpers/world.js'

// @module-tag mysql

/**
 * Each of these must end a job with an error that says so, in bounded time; then the same pool goes on by itself. What
 * was seen to fail: the limit of a statement taken out (the two that hang), the replacement of a connection that takes
 * no writes, the ROLLBACK whose failure hides what happened (each cut line).
 */
describe('a job whose database', () => {
  const world = useWorld('mysql', { leaves: 'sound books' })
  let line: TcpProxy
  const pools: Knex[] = []

  beforeAll(async () => {
    line = await startTcpProxy(world.database.url)
  })
  afterEach(async () => {
    line.mend()
    await Promise.all(pools.splice(0).map((pool) => pool.destroy()))
  })
  afterAll(() => line.close())

  const silent = { warn() {}, error() {}, debug() {}, deprecate() {} }

  /** For a line that hangs: nothing else on a busy machine takes so long. */
  const HANGING_MS = 1_500

  /** One pool from the beginning to the end, as a service has it. */
  function pool(changes: Partial<Knex.Config> = {}, statementTimeoutMs?: number): Knex {
    const opened = knex({ ...knexConfig(line.url, statementTimeoutMs), log: silent, ...changes })
    pools.push(opened)
    return opened
  }

  async function expectUnavailable(job: Promise<unknown>): Promise<void> {
    const error = await job.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    // What happened first, and not that the ROLLBACK after it could not be sent either.
    const { code, name } = error as Error & { code?: string }
    expect(code ?? name).toMatch(/^(PROTOCOL_|ECONN|KnexTimeoutError$)/)
    expect(whyUnavailable(error)).toBe('does not answer')
  }

  /** The schedule's next tick, after the leases of what was in hand have run out. */
  async function expectToGoOn(process: Process, userCount: number): Promise<void> {
    line.mend()
    await world.lapseLeases()
    // A connection that broke unnoticed costs one more try.
    const report = await process.remind().catch(() => process.remind())
    expect(report.state).toBe('done')
    expect([...world.reminded()].sort((a, b) => a - b)).toEqual(users(1, userCount).ids)
    for (let userId = 1; userId <= userCount; userId++) {
      expect(await world.counterOf(userId)).toEqual({ count: 1, last_date: TODAY })
    }
  }

  const PLACES = [
    ['before a claim is written', 'INSERT INTO wx_push_message'],
    ['before a claimed permit is spent', ' SET t.status = 1, t.message_id'],
    ['before verdicts are written', 'UPDATE wx_push_message FORCE INDEX (PRIMARY) SET state'],
    ['before a commit', 'COMMIT;'],
    ['before the run is closed', 'finished_at'],
  ] as const
  test.each(PLACES)('a job whose database cuts the line %s: it stops, and goes on', async (_, text) => {
    await world.has(users(1, 12).permits(2))
    const process = world.startProcess({ db: pool() })
    line.cutAt(text)
    await expectUnavailable(process.remind())
    await expectToGoOn(process, 12)
  })

  test('a job whose database commits and cannot say so any more: nothing is done twice', async () => {
    await world.has(users(1, 12).permits(2))
    const process = world.startProcess({ db: pool() })
    line.cutAfter('COMMIT;')
    await expectUnavailable(process.remind())
    await expectToGoOn(process, 12)
  })

  test('a job whose database hangs on open connections: it stops at the limit of a statement, and goes on over new ones', async () => {
    await world.has(users(1, 12).permits(2))
    const process = world.startProcess({ db: pool({}, HANGING_MS) })
    let sent = 0
    const hanging = world.startProcess({
      db: process.db,
      send: (message) => {
        if (++sent === 5) line.hang()
        return process.send(message)
      },
    })
    await expectUnavailable(hanging.remind())
    await expectToGoOn(process, 12)
  })

  test('a job whose database was there behind connections that went dead while nobody used them: each is given up once', async () => {
    await world.has(users(1, 12).permits(2))
    const process = world.startProcess({ db: pool({}, HANGING_MS) })
    await Promise.all([1, 2, 3].map(() => process.db.raw('SELECT SLEEP(0.05)')))
    line.hang()
    // No more failures than there were connections.
    for (let failures = 0; failures < 3; failures++) {
      if (
        await process.recover().then(
          () => true,
          () => false,
        )
      )
        break
    }
    expect(await process.recover()).toMatchObject({ delivered: 0 })
    await expectToGoOn(process, 12)
  })

  test('a job whose database has no connection free: it stops, and goes on when there is one', async () => {
    await world.has(users(1, 12).permits(2))
    const busy = pool({ acquireConnectionTimeout: 1_000, pool: { min: 0, max: 2 } })
    const process = world.startProcess({ db: busy })
    const hogs = [await busy.transaction(), await busy.transaction()]
    await expectUnavailable(process.remind())
    await Promise.all(hogs.map((hog) => hog.rollback()))
    await expectToGoOn(process, 12)
  })

  test('a job whose database moved away and left connections to one that takes no writes: they are replaced', async () => {
    await world.has(users(1, 12).permits(2))
    const process = world.startProcess({ db: pool({ pool: { min: 0, max: 1 } }) })
    // As a primary that was demoted and kept its sessions.
    await process.db.raw('SET SESSION TRANSACTION READ ONLY')
    expect(whyUnavailable(await process.remind().catch((error: unknown) => error))).toBe('accepts no writes')
    await expectToGoOn(process, 12)
  })

  test('a job whose database is gone in the middle of a sweep: whole chunks are done, and the next sweep finishes', async () => {
    await world.has(
      users(1, 30)
        .permitFor(HOUR_MS)
        .permitFor(8 * DAY_MS),
    )
    const db = pool()
    const sweep = (slot: number) =>
      expireStale(
        { db, log: silentLog, signal: new AbortController().signal },
        { appId: world.account.appId, slot, triggeredBy: 'cron' },
        world.clock.now(),
      )
    world.clock.advance(2 * HOUR_MS)
    line.cutAt('UPDATE wx_message_push_status')
    await expectUnavailable(sweep(world.clock.now()))
    line.mend()
    await world.expectAuditClean()
    expect(await sweep(world.clock.now() + 1)).toEqual({ expired: 30, users: 30 })
  })

  test('a job whose database deadlocks again and again: the transaction gets through, within its tries', async () => {
    await world.has(users(1, 8).permits(1))
    const [here, there] = [openDatabase(world.database.url), openDatabase(world.database.url)]
    pools.push(here, there)
    const errors = recordErrors(here)
    const touch = (trx: Knex, userId: number) =>
      execute(
        trx,
        'UPDATE wx_message_push_status SET updated_at = updated_at + 1 WHERE app_id = ? AND user_id = ?',
        [world.account.appId, userId],
      )
    const rivals: Promise<void>[] = []
    /** Has written more than we have, so that the server lets it through, and then waits for what we hold. */
    const crossWithRival = async () => {
      const rival = await there.transaction()
      // On a busy machine it may be longer than the second of a pool before we ask for what it holds.
      await rival.raw('SET SESSION innodb_lock_wait_timeout = 60')
      for (const userId of [2, 3, 4, 5, 6, 7, 8]) await touch(rival, userId)
      rivals.push(touch(rival, 1).then(async () => void (await rival.commit())))
      await someoneWaits(world.db)
    }
    const before = await world.db('wx_message_push_status').sum('updated_at as sum').first()
    await inTransaction(here, async (trx) => {
      // The one before has what we had by now, and is to let go of it: else we might wait in vain and not deadlock.
      await rivals.at(-1)
      await touch(trx, 1)
      if (rivals.length < 3) await crossWithRival()
      await touch(trx, 2)
    })
    await Promise.all(rivals)
    const after = await world.db('wx_message_push_status').sum('updated_at as sum').first()
    expect(Number(after?.sum) - Number(before?.sum)).toBe(3 * 8 + 2)
    expect(errors).toEqual(Array(3).fill('ER_LOCK_DEADLOCK'))
  })

  test('a job whose database lets it wait for locks in vain: it stops with that, and goes on when they are free', async () => {
    await world.has(users(1, 5).permits(2), user(6).permits(2))
    const config = knexConfig(line.url).pool
    const impatient = pool({
      pool: {
        ...config,
        afterCreate: (
          connection: { query(sql: string, done: (e: unknown) => void): void },
          done: (e: unknown, c: unknown) => void,
        ) =>
          config?.afterCreate?.(connection, () =>
            connection.query(
              "SET SESSION innodb_lock_wait_timeout = IF(VERSION() LIKE '%MariaDB%', 0, 1)",
              (error) => done(error, connection),
            ),
          ),
      },
    })
    const process = world.startProcess({ db: impatient })
    await openTodaysRun(world)
    const holder = await world.db.transaction()
    // A locked permit or counter is passed over, and a locked run is waited for: on MySQL a second at least each time,
    // and more of them than an idle session lives.
    await holder.raw('SET SESSION wait_timeout = 600')
    await holder.raw('SELECT id FROM wx_job_run FOR UPDATE')
    await expect(claimAll({ ...world, db: process.db })).rejects.toMatchObject({
      code: 'ER_LOCK_WAIT_TIMEOUT',
    })
    await holder.rollback()
    // With patience again: a process has transactions of its own that wait for each other for a moment.
    await expectToGoOn(world.startProcess({ db: pool() }), 6)
  }, 120_000)
})
