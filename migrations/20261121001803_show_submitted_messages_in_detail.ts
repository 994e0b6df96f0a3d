import type { Knex } from 'knex'
import { createMessageDetail } from './lib/message-detail.js'

/** The view for people also shows what submitted messages say, and how they ended. */
export async function up(db: Knex): Promise<void> {
  await createMessageDetail(db, { submitted: true })
}

export async function down(db: Knex): Promise<void> {
  await createMessageDetail(db, { submitted: false })
}
