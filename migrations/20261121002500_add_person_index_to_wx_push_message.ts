import type { Knex } from 'knex'
import { addKeys, dropKeys } from './lib/tables.js'

/**
 * Finds the message that a delivery event is about: a person has few of them, among which msgid decides, or the time
 * where the msgid is not known. An index on msgid would be written by every settle, this one only by the claim.
 */
const index = {
  name: 'wx_push_message',
  comment: '',
  columns: [],
  indexes: { wx_push_message_person_idx: ['app_id', 'open_id'] },
}

export const up = (db: Knex): Promise<void> => addKeys(db, index)
export const down = (db: Knex): Promise<void> => dropKeys(db, index)
