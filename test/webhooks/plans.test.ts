import type { Knex } from 'knex'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addWebhookEvents } from '../../src/messages/webhook-store.js'
import { deleteSubmitted } from '../../src/retention/store.js'
import { claimDue } from '../../src/webhooks/claim.js'
import { listDeliveries, redeliver } from '../../src/webhooks/log.js'
import { findOldestWaiting } from '../../src/webhooks/log-store.js'
import { end, hasDue, releaseNext, setWebhook, tryAgain } from '../../src/webhooks/store.js'
import { NOW } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { analyze, fillTable } from '../helpers/fill.js'
import { scansOf } from '../helpers/plans.js'
import { recordQueries } from '../helpers/rows.js'
import { openMeter } from '../helpers/rows-read.js'
import { useWorld } from '../helpers/world.js'

const ROWS = 20_000
/** Events that wait for hours for a receiver that is away. */
const WAITING = 5_000

describe.each(dialects)('the log of a webhook with many rows, on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'its rows' })
  const { appId } = world.account

  beforeAll(async () => {
    const { db } = world
    const app_id = `'${appId}'`
    const times = { created_at: 1, updated_at: 1 }
    const message = {
      app_id,
      user_id: 'i',
      template_id: "'t'",
      state: "'delivered'",
      page: "''",
      data: "'{}'",
    }
    const windows = { not_before: 1, not_after: 2, submitted_by: "'shop'" }
    await fillTable(
      db,
      'wx_submitted_message',
      { message_id: 'i + 1', ...message, ...windows, ...times },
      ROWS,
    )
    const event = { app_id, message_id: 'i + 1', event: "'delivered'", created_at: NOW }
    const ended = { state: "'delivered'", next_attempt_at: 1, ended_at: 1 }
    await fillTable(db, 'wx_webhook_delivery', { ...event, ...ended }, ROWS)
    const waits = { state: "'waiting'", next_attempt_at: `${NOW} + i * 1000` }
    await fillTable(db, 'wx_webhook_delivery', { ...event, ...waits }, WAITING)
    await analyze(db, 'wx_submitted_message', 'wx_webhook_delivery')
    await setWebhook(db, appId, true, NOW)
  })

  const work = async (db: Knex): Promise<void> => {
    await hasDue(db, appId, NOW)
    const { taken } = await claimDue(db, appId, { limit: 8, leaseMs: 60_000 }, NOW + 20_000)
    const [one, other] = taken
    if (!one || !other) throw new Error('nothing was due')
    const answered = { attempts: 1, status: 200, error: null }
    await db.transaction(async (trx) => {
      await end(trx, 'delivered', { id: one.id, ...answered }, NOW)
      await releaseNext(trx, one.message_id, NOW)
      await addWebhookEvents(trx, 'reported', [1, 2, 3], NOW)
      await deleteSubmitted(trx, [77])
    })
    await tryAgain(db, { id: other.id, ...answered }, NOW + 10_000)
    await redeliver(db, appId, one.id, NOW)
    await findOldestWaiting(db, appId)
    for (const query of [
      {},
      { state: 'failed' as const },
      { messageId: 9 },
      { messageId: 9, state: 'failed' as const },
    ])
      await listDeliveries(db, appId, { limit: 30, ...query })
  }

  test('is written, sent and read by indexes alone', async () => {
    const queries = recordQueries(world.db)
    await work(world.db)
    const seen = queries.filter(({ sql }) => /^\s*(SELECT|UPDATE|DELETE|INSERT[^;]*\sSELECT)/.test(sql))
    expect(seen.length).toBeGreaterThan(12)
    for (const statement of seen) expect(await scansOf(world.db, statement), statement.sql).toEqual([])
  })

  test.runIf(dialect === 'mysql')('costs what is due, however much waits', async () => {
    const meter = openMeter(world.database)
    afterAll(meter.close)
    expect(await meter.rowsRead(() => work(meter.db))).toBeLessThan(300)
  })
})
