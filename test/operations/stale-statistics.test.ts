import type { Knex } from 'knex'
import { beforeAll, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { findYoungerSpentFirst } from '../../src/operations/oldest-first-store.js'
import * as auditStore from '../../src/operations/store.js'
import { dayOf } from '../../src/reminders/due-store.js'
import { countPassed } from '../../src/reminders/passed-store.js'
import { countStandings } from '../../src/reminders/store.js'
import { TODAY } from '../helpers/constants.js'
import { users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

// @module-tag mysql

/** MariaDB renews statistics in the background: for a while after many rows came, it plans as if there were none. */
const TABLES = ['wx_save_form_id', 'wx_message_push_status', 'wx_push_message', 'wx_sign_in', 'wx_user']
const USERS = 1_000

const world = useWorld('mysql', { leaves: 'its rows' })

beforeAll(async () => {
  for (const table of TABLES) await world.db.raw(`ALTER TABLE ${table} STATS_AUTO_RECALC = 0`)
  await world.db.raw(`ANALYZE TABLE ${TABLES.join(', ')}`)
  await world.has(
    users(1, USERS).permits(2),
    users(USERS + 1, 2 * USERS)
      .permits(1)
      .signedInToday(),
  )
  await world.startProcess().remind({ limit: USERS / 2 })
})

/** Rows that the server read for one question. */
async function rowsRead(ask: (trx: Knex.Transaction) => Promise<unknown>): Promise<number> {
  return world.db.transaction(async (trx) => {
    const read = async () => {
      const status = await selectRows<{ Value: string }>(trx, "SHOW SESSION STATUS LIKE 'Handler_read%'")
      return status.reduce((sum, { Value }) => sum + Number(Value), 0)
    }
    const before = await read()
    await ask(trx)
    return (await read()) - before
  })
}

test.each<[string, (trx: Knex.Transaction) => Promise<unknown>]>([
  ['counters', (trx) => auditStore.findWrongCounters(trx, 10)],
  ['reminders of a day', (trx) => auditStore.findDoubleReminders(trx, 10)],
  ['order of permits', (trx) => findYoungerSpentFirst(trx, 0, 10)],
  ['spent permits', (trx) => auditStore.findSpentWithoutMessage(trx, 10)],
  ['messages', (trx) => auditStore.findMessagesWithoutPermit(trx, 10)],
  [
    'users whom a claim has passed over',
    (trx) => {
      const range = { range_no: 0, cur: 0, hi: 2 * USERS }
      return countPassed(trx, world.account.appId, range, dayOf(world.account, TODAY, world.clock.now()))
    },
  ],
  [
    'standings',
    (trx) => {
      return countStandings(trx, world.account.appId, dayOf(world.account, TODAY, world.clock.now()))
    },
  ],
])('looking at all %s reads each row a few times, however old the statistics are', async (_, ask) => {
  expect(await rowsRead(ask)).toBeLessThan(20 * USERS)
})
