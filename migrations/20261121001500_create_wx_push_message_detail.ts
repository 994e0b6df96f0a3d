import type { Knex } from 'knex'
import { createMessageDetail } from './lib/message-detail.js'

/**
 * A view for people: each message with what its narrow row leaves to other tables. No statement of the service reads
 * it.
 */
export async function up(db: Knex): Promise<void> {
  await createMessageDetail(db, { submitted: false })
}

export async function down(db: Knex): Promise<void> {
  await db.raw('DROP VIEW IF EXISTS wx_push_message_detail')
}
