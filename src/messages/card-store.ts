import { createHash } from 'node:crypto'
import type { Knex } from 'knex'
import type { ReminderData } from '../account.js'
import type { Channel } from '../channel.js'
import { execute, isSqlite, selectRows } from '../db/sql.js'

/** What messages say, once for all that say the same: a row of wx_card, which never changes. */
export interface Card {
  id: number
  channel: Channel
  templateId: string
  page: string
  data: ReminderData
}

/** The card that says this, stored now if nobody has said it before. */
export async function findOrAddCard(
  db: Knex,
  { appId, channel, templateId, page, data }: Omit<Card, 'id'> & { appId: string },
  now: number,
): Promise<Card> {
  const json = JSON.stringify(data)
  const key = createHash('sha256')
    .update(JSON.stringify([channel, templateId, page, json]))
    .digest('hex')
  const find = async (): Promise<Card | undefined> => {
    const [row] = await selectRows<{ id: number }>(
      db,
      'SELECT id FROM wx_card WHERE app_id = ? AND card_key = ?',
      [appId, key],
    )
    return row && { id: row.id, channel, templateId, page, data }
  }
  const known = await find()
  if (known) return known
  await execute(
    db,
    `INSERT INTO wx_card (app_id, card_key, channel, template_id, page, data, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?) ${isSqlite(db) ? 'ON CONFLICT (app_id, card_key) DO NOTHING' : 'ON DUPLICATE KEY UPDATE id = id'}`,
    [appId, key, channel, templateId, page, json, now],
  )
  const added = await find()
  if (!added) throw new Error('A card was stored and is not there')
  return added
}
