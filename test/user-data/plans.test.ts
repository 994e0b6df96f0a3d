import type { Knex } from 'knex'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isSqlite } from '../../src/db/sql.js'
import { findUserDetail } from '../../src/user-data/detail.js'
import { eraseUser } from '../../src/user-data/erase.js'
import { findUsersOf } from '../../src/user-data/persons.js'
import { NOW, TODAY } from '../helpers/constants.js'
import { type Dialect, dialects } from '../helpers/database.js'
import { analyze, fillTable } from '../helpers/fill.js'
import { scansOf } from '../helpers/plans.js'
import { recordQueries } from '../helpers/rows.js'
import { openMeter } from '../helpers/rows-read.js'
import { useWorld } from '../helpers/world.js'

const USERS = 1_000
const DAYS = 30

/** A month of 1,000 users: a message, a sign-in and two permits a day for each. */
async function fill(db: Knex, appId: string): Promise<void> {
  const app = { app_id: `'${appId}'` }
  const times = { created_at: 1, updated_at: 1 }
  const rows = USERS * DAYS
  const [user, day] = [`i % ${USERS}`, `${TODAY - 19} + (i - i % ${USERS}) / ${USERS}`]
  const text = (prefix: string) => (isSqlite(db) ? `'${prefix}' || i` : `CONCAT('${prefix}', i)`)
  const run = { job: "'remind'", triggered_by: "'cron'", state: "'done'", started_at: 1, updated_at: 1 }
  await fillTable(db, 'wx_job_run', { ...app, ...run, slot: `${TODAY - 19} + i` }, DAYS)
  const card = { card_key: 'i', channel: "'form_id'", template_id: "'t'", page: "''", data: "'{}'" }
  await fillTable(db, 'wx_card', { ...app, ...card, created_at: 1 }, 500)
  const message = { claim_id: 1, card_id: 1, state: "'delivered'", ...times }
  const dated = { run_id: 1, user_id: user, business_date: day, permit_id: 'i + 1' }
  await fillTable(db, 'wx_push_message', { ...app, ...message, ...dated }, rows)
  await fillTable(db, 'wx_push_message', { ...app, ...message, kind: "'api'", user_id: user }, rows)
  const permit = { user_id: user, open_id: user, form_id: text('F'), expire: `${NOW} + i`, status: 1 }
  await fillTable(db, 'wx_save_form_id', { ...app, ...permit, message_id: 'i + 1', ...times }, rows)
  await fillTable(db, 'wx_save_form_id', { ...app, ...permit, form_id: text('G'), ...times }, rows)
  await fillTable(db, 'wx_message_push_status', { ...app, user_id: 'i', count: 0 }, USERS)
  await fillTable(db, 'wx_user', { ...app, user_id: 'i', open_id: 'i', ...times }, USERS)
  await fillTable(db, 'wx_sign_in', { ...app, user_id: user, day, streak: 1, created_at: 1 }, rows)
  await analyze(
    db,
    'wx_job_run',
    'wx_card',
    'wx_push_message',
    'wx_save_form_id',
    'wx_message_push_status',
    'wx_user',
    'wx_sign_in',
  )
}

describe.each(dialects)('the record of a user among many, on %s', (dialect: Dialect) => {
  const world = useWorld(dialect, { leaves: 'its rows' })
  const { appId } = world.account
  const read = (db: Knex) => findUserDetail(db, world.account, 7, NOW)
  beforeAll(() => fill(world.db, appId))

  test('is read by indexes alone', async () => {
    const queries = recordQueries(world.db)
    const detail = await read(world.db)
    expect(detail).toMatchObject({ permits: { spent: 2 * DAYS }, messages: { next: expect.any(String) } })
    await findUsersOf(world.db, appId, '7')
    await expect(findUsersOf(world.db, appId, 'nobody')).rejects.toThrow()
    const selects = queries.filter(({ sql }) => sql.startsWith('SELECT'))
    expect(selects.length).toBeGreaterThan(9)
    for (const statement of selects) expect(await scansOf(world.db, statement), statement.sql).toEqual([])
  })

  test('is erased by indexes alone', async () => {
    const queries = recordQueries(world.db)
    const { log } = world.startProcess({ db: world.db })
    const erased = await eraseUser({ db: world.db, appId, log }, { userId: 8, traceId: 't' }, NOW)
    expect(erased).toMatchObject({ open_ids: 1, permits: 2 * DAYS, complete: true })
    const statements = queries.filter(({ sql }) => /^(SELECT|UPDATE|DELETE)/.test(sql))
    expect(statements.length).toBeGreaterThan(15)
    for (const statement of statements) expect(await scansOf(world.db, statement), statement.sql).toEqual([])
  })

  test.runIf(dialect === 'mysql')('costs what belongs to the user', async () => {
    const meter = openMeter(world.database)
    afterAll(meter.close)
    // 60 permits, each read thrice; 30 runs, 60 messages, and the first page of each list.
    expect(await meter.rowsRead(() => read(meter.db))).toBeLessThan(800)
  })
})
