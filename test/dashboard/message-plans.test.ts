import type { Knex } from 'knex'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findTold } from '../../src/callbacks/told.js'
import { KINDS } from '../../src/dashboard/messages-page.js'
import { countStates, hasSubmitted, MOST_COUNTED } from '../../src/submitted/count-store.js'
import { previewRequeue } from '../../src/submitted/preview-requeue.js'
import { findDead } from '../../src/submitted/requeue-store.js'
import { findMessage, listMessages } from '../../src/submitted/status.js'
import { NOW } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { analyze, fillTable, rowsFor } from '../helpers/fill.js'
import { scansOf } from '../helpers/plans.js'
import { recordQueries } from '../helpers/rows.js'
import { openMeter } from '../helpers/rows-read.js'
import { useWorld } from '../helpers/world.js'

/** Every second one is dead: more than are counted. */
const ROWS = { mysql: 60_000, sqlite: 24_000 }
const DEAD = 2
const PERSON = 'oWithManyEvents0000000000000'

describe.each(dialects)('the pages of many submitted messages, on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'its rows' })
  const { appId } = world.account

  beforeAll(async () => {
    const { db } = world
    const app_id = `'${appId}'`
    const rows = rowsFor(db, ROWS)
    const times = { created_at: NOW, updated_at: 1 }
    const card = { id: 'i + 1', app_id, channel: "'official'", template_id: "'t'", page: "''", data: "'{}'" }
    await fillTable(db, 'wx_card', { ...card, card_key: 'i', created_at: 1 }, 300)
    await fillTable(
      db,
      'wx_push_message',
      {
        id: 'i + 1',
        app_id,
        user_id: 'i',
        open_id: `'${PERSON}'`,
        kind: "'api'",
        claim_id: 1,
        card_id: 1,
        state: `CASE WHEN i % ${DEAD} = 0 THEN 'delivered' ELSE 'cancelled' END`,
        errcode: 47003,
        msgid: 'i',
        settled_at: 1,
        ...times,
      },
      rows,
    )
    const state = `CASE WHEN i % ${DEAD} = 0 THEN 'delivered' ELSE 'dead' END`
    const says = { template_id: "'t'", state, page: "''", data: "'{}'", submitted_by: "'shop'" }
    const windows = { not_before: 1, not_after: 2 }
    await fillTable(
      db,
      'wx_submitted_message',
      { message_id: 'i + 1', app_id, user_id: 'i', ...says, ...windows, ...times },
      rows,
    )
    const event = { app_id, open_id: `'${PERSON}'`, event: "'TEMPLATESENDJOBFINISH'", payload: "'{}'" }
    const seconds = NOW / 1000
    await fillTable(
      db,
      'wx_callback_event',
      {
        ...event,
        event_time: `${seconds} + i`,
        msgid: 'i',
        event_key: 'i',
        state: "'done'",
        trace_id: "'t'",
        received_at: 'i',
      },
      rows,
    )
    await fillTable(
      db,
      'wx_message_attempt',
      { message_id: 'i + 1', outcome: "'accepted'", ended_at: 1 },
      rows,
    )
    await analyze(db, 'wx_submitted_message', 'wx_push_message', 'wx_callback_event', 'wx_message_attempt')
  })

  const work = async (db: Knex): Promise<void> => {
    await countStates(db, appId, KINDS)
    expect(await hasSubmitted(db, appId)).toBe(true)
    for (const query of [
      {},
      { state: 'dead' as const },
      { errcode: 40037 },
      { templateId: 'u', errcode: 40037 },
    ])
      await listMessages(db, appId, { limit: 30, ...query })
    await findMessage(db, appId, 7)
    expect(await findTold(db, appId, 7)).toHaveLength(1)
    await findDead(db, appId, 7, 100)
    const preview = await previewRequeue(db, appId, { errcode: 47003 }, NOW)
    expect(preview).toMatchObject({ dead: MOST_COUNTED, late: MOST_COUNTED, all_counted: false })
  }

  test('read by indexes alone', async () => {
    const queries = recordQueries(world.db)
    await work(world.db)
    const seen = queries.filter(({ sql }) => /^\s*SELECT/.test(sql))
    expect(seen.length).toBeGreaterThan(10)
    for (const statement of seen) expect(await scansOf(world.db, statement), statement.sql).toEqual([])
  })

  test.runIf(dialect === 'mysql')('read so many rows and no more, however many there are', async () => {
    const meter = openMeter(world.database)
    afterAll(meter.close)
    // Two kinds are counted, the dead ones twice; for a preview, each is found, read, and read again by its code.
    const read = await meter.rowsRead(() => work(meter.db))
    expect(read).toBeLessThan(12 * MOST_COUNTED)
  })
})
