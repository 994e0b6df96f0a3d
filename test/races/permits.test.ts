import type { Knex } from 'knex'
import { afterEach, describe, expect, test } from 'vitest'
import { FORM_ID_LIFETIME_MS, grantPermits } from '../../src/books/index.js'
import { lockPermits } from '../../src/books/locked-permits.js'
import { execute } from '../../src/db/sql.js'
import { expireStale } from '../../src/permits/expire.js'
import { createIngest } from '../../src/permits/ingest.js'
import { claimAll, openTodaysRun } from '../helpers/claims.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { recordErrors, silentLog } from '../helpers/rows.js'
import { endSession, openSteppingPool, type SteppingPool, someoneWaits } from '../helpers/stepping-pool.js'
import { openIdOf, user } from '../helpers/users.js'
import { useWorld, type World } from '../helpers/world.js'

/**
 * Who may spend, expire or add a user's permits at the same time. What each test was seen to catch:
 *
 * | taken out of the code | fails | |---|---| | `status = 0` in unspentOf (sweep) | the permits that were claimed, or
 * expired, since the sweep read them | | `status = 0` in lockCandidatePermits (claim) | the permit that expired since
 * the claim read it | | SKIP LOCKED in expireFree | the sweeps that must not wait for a claim or for each other | | the
 * key by user in the UPDATE of expireLocked, in place of that by id | whoever names the permits that a sweep holds | |
 * SKIP LOCKED in lockCandidatePermits | the claim that must not wait for a sweep | | SKIP LOCKED in lockDueCounters |
 * the claim that must not wait for an upload | | `again` in moveCursor | both of these: the user passed over is
 * forgotten | | counting by what was read before, in place of `count - 1`, `count + n` | the tests in which one waits
 * for the other |
 */
function tools(world: World) {
  const pools: SteppingPool[] = []
  return {
    another(): SteppingPool {
      const pool = openSteppingPool(world.database)
      pools.push(pool)
      return pool
    },
    closePools: () => Promise.all(pools.splice(0).map((pool) => pool.close())),
    sweep: (db: Knex, now: number) =>
      expireStale(
        { db, log: silentLog, signal: new AbortController().signal },
        { appId: world.account.appId, slot: now, triggeredBy: 'cron' },
        now,
      ),
    /** The run is opened by another connection, so that the first COMMIT on `db` is the claim's. */
    async claim(db: Knex) {
      await openTodaysRun(world)
      return (await claimAll({ ...world, db })).map(({ userId }) => userId)
    },
    upload: (db: Knex, userId: number, formId: string) =>
      createIngest(db).upload(
        [
          {
            appId: world.account.appId,
            openId: openIdOf(userId),
            userId,
            source: 'form',
            formId,
            page: undefined,
            submittedAt: undefined,
          },
        ],
        world.clock.now(),
      ),
    /** What an upload does to the books, statement by statement: MariaDB takes it as one, in which nobody can stop. */
    grant: (db: Knex, userId: number, formId: string) =>
      db.transaction((trx) =>
        grantPermits(
          trx,
          [
            {
              appId: world.account.appId,
              openId: openIdOf(userId),
              userId,
              source: 'form',
              formId,
              useNo: 1,
              page: undefined,
              expire: world.clock.now() + FORM_ID_LIFETIME_MS,
            },
          ],
          world.clock.now(),
        ),
      ),
    statuses: async (userId: number) => (await world.permitsOf(userId)).map(({ status }) => status),
  }
}

describe.each(dialects)('one after the other on %s', (dialect) => {
  const world = useWorld(dialect)
  const { another, closePools, sweep, claim, statuses } = tools(world)
  afterEach(closePools)

  test('a permit claimed since a sweep read it stays with its message', async () => {
    await world.has(user(1).permitFor(2 * MINUTE_MS), user(2).permitFor(2 * MINUTE_MS))
    const sweeper = another()
    const stop = sweeper.stop('before', /^BEGIN/)
    const sweeping = sweep(sweeper.db, world.clock.now() + HOUR_MS)
    await stop.reached
    expect(await claim(world.db)).toEqual([1, 2])
    stop.goOn()
    expect(await sweeping).toEqual({ expired: 0, users: 0 })
    expect(await statuses(1)).toEqual([1])
    expect(await world.counterOf(1)).toEqual({ count: 0, last_date: TODAY })
  })

  test('a permit expired since another sweep read it counts once', async () => {
    await world.has(user(1).permitFor(MINUTE_MS).permitFor(DAY_MS), user(2).permitFor(MINUTE_MS))
    const slow = another()
    const stop = slow.stop('before', /^BEGIN/)
    const later = world.clock.now() + HOUR_MS
    const sweeping = sweep(slow.db, later)
    await stop.reached
    expect(await sweep(world.db, later + 1)).toEqual({ expired: 2, users: 2 })
    stop.goOn()
    expect(await sweeping).toEqual({ expired: 0, users: 0 })
    expect(await statuses(1)).toEqual([2, 0])
    expect([await world.counterOf(1), await world.counterOf(2)]).toMatchObject([{ count: 1 }, { count: 0 }])
  })
})

describe('side by side on mysql', { tags: ['mysql'] }, () => {
  const world = useWorld('mysql')
  const { another, closePools, sweep, claim, upload, grant, statuses } = tools(world)
  afterEach(closePools)

  test('a claim passes over a permit that a sweep expires, and comes back for the user’s next one', async () => {
    await world.has(
      user(1)
        .permitFor(2 * MINUTE_MS)
        .permitFor(DAY_MS),
      user(2).permits(1),
    )
    const sweeper = another()
    const stop = sweeper.stop('before', /^COMMIT/)
    const sweeping = sweep(sweeper.db, world.clock.now() + HOUR_MS)
    await stop.reached
    expect(await claim(world.db)).toEqual([2])
    stop.goOn()
    expect(await sweeping).toEqual({ expired: 1, users: 1 })
    world.clock.advance(HOUR_MS)
    expect(await claim(world.db)).toEqual([1])
    expect(await statuses(1)).toEqual([2, 1])
    expect(await world.counterOf(1)).toEqual({ count: 0, last_date: TODAY })
  })

  test('a claim passes over a counter that an upload holds, and comes back for the user', async () => {
    await world.has(user(1).permits(1), user(2).permits(1), user(3).permits(1))
    const uploader = another()
    const stop = uploader.stop('before', /^COMMIT/)
    const uploading = grant(uploader.db, 2, 'F2')
    await stop.reached
    const errors = recordErrors(world.db)
    expect(await claim(world.db)).toEqual([1, 3])
    expect(errors).toEqual([])
    stop.goOn()
    await uploading
    expect(await claim(world.db)).toEqual([2])
    expect(await statuses(2)).toEqual([1, 0])
    expect(await world.counterOf(2)).toEqual({ count: 1, last_date: TODAY })
  })

  test('a permit that expired since a claim read it is not spent', async () => {
    await world.has(
      user(1)
        .permitFor(2 * MINUTE_MS)
        .permitFor(DAY_MS),
    )
    const claimer = another()
    const stop = claimer.stop('before', /SELECT m\.id AS message_id/)
    const claiming = claim(claimer.db)
    await stop.reached
    world.clock.advance(HOUR_MS)
    expect(await sweep(world.db, world.clock.now())).toEqual({ expired: 1, users: 1 })
    stop.goOn()
    // Passed over, and read again with the next permit.
    expect([...(await claiming), ...(await claim(world.db))]).toEqual([1])
    expect(await statuses(1)).toEqual([2, 1])
  })

  test('a sweep passes over a permit that is being claimed', async () => {
    await world.has(user(1).permitFor(2 * MINUTE_MS), user(2).permitFor(MINUTE_MS))
    const claimer = another()
    const stop = claimer.stop('before', /^COMMIT/)
    const claiming = claim(claimer.db)
    await stop.reached
    expect(await sweep(world.db, world.clock.now() + HOUR_MS)).toEqual({ expired: 1, users: 1 })
    stop.goOn()
    expect(await claiming).toEqual([1])
    expect(await statuses(1)).toEqual([1])
  })

  test('a sweep does not deadlock with whoever names, by their ids, the permits that it holds', async () => {
    await world.has(user(1).permitFor(2 * MINUTE_MS), user(2).permitFor(2 * MINUTE_MS))
    const ids = [...(await world.permitsOf(1)), ...(await world.permitsOf(2))].map(({ id }) => id)
    const [sweeper, namer] = [another(), another()]
    const errors = [recordErrors(namer.db), recordErrors(sweeper.db)]
    const stop = sweeper.stop('before', /^UPDATE wx_save_form_id/)
    const sweeping = sweep(sweeper.db, world.clock.now() + HOUR_MS)
    await stop.reached
    const naming = namer.db.transaction((trx) => lockPermits(trx, ids))
    await someoneWaits(world.db)
    stop.goOn()
    expect(await sweeping).toEqual({ expired: 2, users: 2 })
    expect([...(await naming).values()].map(({ status }) => status)).toEqual([2, 2])
    expect(errors).toEqual([[], []])
  })

  test('what a claim held when it died is expired by the next sweep', async () => {
    await world.has(user(1).permitFor(2 * MINUTE_MS))
    const claimer = another()
    const stop = claimer.stop('before', /^COMMIT/)
    const claiming = claim(claimer.db)
    const connection = await stop.reached
    expect(await sweep(world.db, world.clock.now() + HOUR_MS)).toEqual({ expired: 0, users: 0 })
    await endSession(world.db, connection)
    stop.goOn()
    await expect(claiming).rejects.toThrow()
    expect(await world.counterOf(1)).toEqual({ count: 1, last_date: 0 })
    expect(await sweep(world.db, world.clock.now() + 3 * HOUR_MS)).toEqual({ expired: 1, users: 1 })
  })

  test('a sweep and a claim of one user’s permits both count', async () => {
    await world.has(
      user(1)
        .permitFor(DAY_MS)
        .permitFor(2 * DAY_MS),
    )
    await execute(world.db, 'UPDATE wx_save_form_id SET expire = ? ORDER BY expire LIMIT 1', [
      world.clock.now() - 1,
    ])
    const sweeper = another()
    const stop = sweeper.stop('before', /^COMMIT/)
    const sweeping = sweep(sweeper.db, world.clock.now())
    await stop.reached
    expect(await claim(world.db)).toEqual([])
    stop.goOn()
    expect([await sweeping, await claim(world.db)]).toEqual([{ expired: 1, users: 1 }, [1]])
    expect(await world.counterOf(1)).toEqual({ count: 0, last_date: TODAY })
  })

  test('two sweeps do not wait for each other, and each permit counts once', async () => {
    await world.has(user(1).permitFor(MINUTE_MS).permitFor(DAY_MS), user(2).permitFor(MINUTE_MS))
    const slow = another()
    const stop = slow.stop('before', /^COMMIT/)
    const later = world.clock.now() + HOUR_MS
    const sweeping = sweep(slow.db, later)
    await stop.reached
    await world.has(user(3).permitFor(MINUTE_MS))
    expect(await sweep(world.db, later + 1)).toEqual({ expired: 1, users: 1 })
    stop.goOn()
    expect(await sweeping).toEqual({ expired: 2, users: 2 })
    expect(await Promise.all([1, 2, 3].map(statuses))).toEqual([[2, 0], [2], [2]])
    expect(await world.counterOf(1)).toMatchObject({ count: 1 })
  })

  test('an upload comes back after a claim of the same user, and both count', async () => {
    await world.has(user(1).permits(1))
    const claimer = another()
    const errors = [recordErrors(claimer.db), recordErrors(world.db)]
    const stop = claimer.stop('before', /^COMMIT/)
    const claiming = claim(claimer.db)
    await stop.reached
    const uploading = upload(world.db, 1, 'F1')
    await eventually('it looks', () => errors.flat().length > 0)
    stop.goOn()
    expect([await uploading, await claiming]).toEqual([[{ outcome: 'accepted' }], [1]])
    expect(await world.counterOf(1)).toEqual({ count: 1, last_date: TODAY })
    expect(await statuses(1)).toEqual([1, 0])
    // As MariaDB calls a row that NOWAIT found locked, and as MySQL does.
    for (const error of errors.flat()) expect(['ER_LOCK_WAIT_TIMEOUT', 'ER_LOCK_NOWAIT']).toContain(error)
  })

  test('a form_id uploaded in two processes at once counts once', async () => {
    const uploader = another()
    const stop = uploader.stop('before', /^COMMIT/)
    const uploading = grant(uploader.db, 1, 'F1')
    await stop.reached
    const errors = recordErrors(world.db)
    const again = upload(world.db, 1, 'F1')
    await eventually('it meets the other one', () => errors.length > 0)
    stop.goOn()
    await uploading
    expect(await again).toEqual([{ outcome: 'duplicate' }])
    expect(await world.counterOf(1)).toMatchObject({ count: 1 })
  })
})
