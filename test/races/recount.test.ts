import type { Knex } from 'knex'
import { describe, expect, test } from 'vitest'
import { recountCounter } from '../../src/books/index.js'
import { inTransaction } from '../../src/db/transaction.js'
import type { HeldMessage } from '../../src/messages/message.js'
import { settleBatch } from '../../src/messages/settle.js'
import { findWrongCounters } from '../../src/operations/store.js'
import { expireStale } from '../../src/permits/expire.js'
import { createIngest } from '../../src/permits/ingest.js'
import { claimAll, claimOne } from '../helpers/claims.js'
import { HOUR_MS } from '../helpers/constants.js'
import { silentLog } from '../helpers/rows.js'
import { openSteppingPool, someoneWaits } from '../helpers/stepping-pool.js'
import { openIdOf, user } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

// @module-tag mysql

const NOWAIT = /NOWAIT/

/**
 * `audit --fix` beside a running service. The recount stands still before each of its statements in turn, and the other
 * one does its work then, or waits for it. A recount that reads the permits before it has the counter fails with the
 * upload. SQLite has one writer.
 */
describe('a recount on mysql', () => {
  const world = useWorld('mysql')
  let held: HeldMessage

  const changes: Record<string, (db: Knex) => Promise<unknown>> = {
    'an upload': (db) =>
      createIngest(db).upload(
        [
          {
            appId: world.account.appId,
            openId: openIdOf(1),
            userId: 1,
            source: 'form',
            formId: 'fresh',
            page: undefined,
            submittedAt: undefined,
          },
        ],
        world.clock.now(),
      ),
    'a claim': (db) => claimAll({ ...world, db }),
    'a sweep': (db) =>
      expireStale(
        { db, log: silentLog, signal: new AbortController().signal },
        { appId: world.account.appId, slot: 1, triggeredBy: 'cron' },
        world.clock.now() + 3 * HOUR_MS,
      ),
    'a give-back': (db) =>
      settleBatch(
        db,
        [
          {
            message: held,
            verdict: { kind: 'give_back' },
            answer: { errcode: null, errmsg: null, rid: null, msgid: null },
            attempted: false,
          },
        ],
        world.clock.now(),
      ),
  }

  /** Lets the recount go up to its n-th statement, the first being 0. false when it has no such statement. */
  async function meet(n: number, change: (db: Knex) => Promise<unknown>): Promise<boolean> {
    const slow = openSteppingPool(world.database)
    const beside = openSteppingPool(world.database)
    try {
      let stop = slow.stop('before', /./s)
      const recounting = inTransaction(slow.db, (trx) =>
        recountCounter(trx, world.account.appId, 1, world.clock.now()),
      )
      await stop.reached
      for (let passed = 0; passed < n; passed++) {
        const next = slow.stop('before', /./s)
        stop.goOn()
        const reached = await Promise.race([next.reached, recounting.then(() => 'over')])
        if (reached === 'over') return false
        stop = next
      }
      // An upload that finds the counter locked looks again and again in place of waiting for it.
      beside.stop('before', NOWAIT).goOn()
      const looksAgain = beside.stop('before', NOWAIT)
      const changing = change(beside.db)
      await Promise.race([changing, someoneWaits(world.db), looksAgain.reached])
      expect(await findWrongCounters(world.db, 10)).toEqual([])
      stop.goOn()
      looksAgain.goOn()
      await Promise.all([recounting, changing])
      expect(await findWrongCounters(world.db, 10)).toEqual([])
      return true
    } finally {
      await slow.close()
      await beside.close()
    }
  }

  test.each(Object.entries(changes))(
    'keeps the counter exact with %s at each of its steps',
    async (name, change) => {
      let steps = 0
      for (let met = true; met; ) {
        await world.reset()
        await world.has(
          user(1)
            .permitFor(2 * HOUR_MS)
            .permits(3),
        )
        if (name === 'a give-back') held = await claimOne(world)
        met = await meet(steps, change)
        if (met) steps++
      }
      expect(steps).toBeGreaterThanOrEqual(4)
    },
  )
})
