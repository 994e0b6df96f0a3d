import type { Knex } from 'knex'
import { execute } from '../../src/db/sql.js'
import { DAY_MS, HOUR_MS } from '../../src/lib/durations.js'
import { findOrAddCard } from '../../src/messages/card-store.js'
import { inChunks, NUMBERS } from './fill.js'

/** What backends have left in the tables: messages that ended, that wait for later, and that are dead. */
export interface Submitted {
  appId: string
  /** Their users are 1 to this one, in turn. */
  users: number
  ended: number
  later: number
  dead: number
}

const TABLES = [
  'wx_push_message',
  'wx_submitted_message',
  'wx_message_attempt',
  'wx_message_retry',
  'wx_submission',
]

/** Messages with the rows that the service writes beside them, but for their permits. Their ids begin with 1. */
export async function fillSubmitted(db: Knex, submitted: Submitted, now: number): Promise<void> {
  const { appId, users, ended, later, dead } = submitted
  const says = { channel: 'form_id', templateId: 'bench', page: '', data: {} } as const
  const card = await findOrAddCard(db, { appId, ...says }, now)
  const common = { appId, users, cardId: card.id, now }
  await fillKind(db, { ...common, from: 1, to: ended, state: 'delivered', end: 'delivered' })
  await fillKind(db, { ...common, from: ended + 1, to: ended + later, state: 'queued', end: 'open' })
  const first = ended + later + 1
  await fillKind(db, { ...common, from: first, to: first + dead - 1, state: 'cancelled', end: 'dead' })
  await db.raw(`ANALYZE TABLE ${TABLES.join(', ')}`)
}

interface Kind {
  appId: string
  users: number
  cardId: number
  now: number
  from: number
  to: number
  state: 'delivered' | 'queued' | 'cancelled'
  end: 'delivered' | 'open' | 'dead'
}

/** Those that ended did so in the last 30 days; each was submitted alone, and those that were sent have one attempt. */
async function fillKind(db: Knex, { appId, users, cardId, now, from, to, state, end }: Kind): Promise<void> {
  const isOpen = end === 'open'
  const at = isOpen ? now : now - DAY_MS
  const errcode = end === 'dead' ? 47003 : null
  const texts = '{"keyword1":"您的包裹已到驿站","keyword2":"取件码 8-2-1024","keyword4":"2026.11.21"}'
  await inChunks(db, from, to, async (first, last) => {
    const chunk = [first, last]
    await execute(
      db,
      `INSERT INTO wx_push_message (id, app_id, user_id, kind, claim_id, card_id, state, attempts, errcode, created_at,
         settled_at, updated_at)
       SELECT n, ?, 1 + n % ?, 'api', FLOOR(n / 100), ?, ?, ?, ?, ?, ?, ? FROM ${NUMBERS} WHERE n BETWEEN ? AND ?`,
      [appId, users, cardId, state, isOpen ? 0 : 1, errcode, at, isOpen ? 0 : at, at, ...chunk],
    )
    await execute(
      db,
      `INSERT INTO wx_submitted_message (message_id, app_id, user_id, template_id, state, page, data, not_before, not_after,
         submitted_by, created_at, updated_at)
       SELECT n, ?, 1 + n % ?, 'bench', ?, '', ?, ?, ?, 'shop', ?, ? FROM ${NUMBERS} WHERE n BETWEEN ? AND ?`,
      [appId, users, end, texts, at, now + 6 * DAY_MS, at, at, ...chunk],
    )
    if (isOpen)
      await execute(
        db,
        `INSERT INTO wx_message_retry (message_id, app_id, kind, submitted_by, next_attempt_at)
         SELECT n, ?, 'api', 'shop', ? + n FROM ${NUMBERS} WHERE n BETWEEN ? AND ?`,
        [appId, now + 12 * HOUR_MS, ...chunk],
      )
    else
      await execute(
        db,
        `INSERT INTO wx_message_attempt (message_id, outcome, errcode, ended_at)
         SELECT n, ?, ?, ? FROM ${NUMBERS} WHERE n BETWEEN ? AND ?`,
        [errcode === null ? 'accepted' : 'refused', errcode, at, ...chunk],
      )
    await execute(
      db,
      `INSERT INTO wx_submission (app_id, submitted_by, key_hash, body_hash, answer, created_at)
       SELECT ?, 'shop', SHA2(n, 256), SHA2(n + 1, 256), CONCAT('{"id":', n, ',"state":"queued"}'), ? FROM ${NUMBERS}
       WHERE n BETWEEN ? AND ?`,
      [appId, at, ...chunk],
    )
  })
}
