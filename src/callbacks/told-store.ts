import type { Knex } from 'knex'
import { mysqlHint, selectRows } from '../db/sql.js'
import type { EventOutcome } from './store.js'

/** What is read to tell of one message what WeChat has said of it. */

export interface ToldMessage {
  msgid: string | null
  open_id: string | null
  created_at: number
}

/** The person that a message went to is on record with it, or with its permit. */
export async function findToldMessage(db: Knex, appId: string, id: number): Promise<ToldMessage | undefined> {
  const [row] = await selectRows<ToldMessage>(
    db,
    `SELECT m.msgid, COALESCE(m.open_id, f.open_id) AS open_id, m.created_at FROM wx_push_message m
     LEFT JOIN wx_save_form_id f ON f.id = m.permit_id WHERE m.id = ? AND m.app_id = ?`,
    [id, appId],
  )
  return row
}

export interface ToldRow {
  event: string
  event_time: number
  template_id: string | null
  msgid: string
  payload: string
  outcome: EventOutcome | null
  received_at: number
  processed_at: number | null
}

/** Events of a person that are looked at: a delivery is told within seconds, among few others. */
const LOOKS = 200

/** The events about a msgid among the first of a person since a time in seconds. Uses wx_callback_event_person_idx. */
export function findEventsSince(
  db: Knex,
  { appId, openId, msgid, since }: { appId: string; openId: string; msgid: string; since: number },
): Promise<ToldRow[]> {
  return selectRows<ToldRow>(
    db,
    `SELECT event, event_time, template_id, msgid, payload, outcome, received_at, processed_at FROM (
       SELECT event, event_time, template_id, msgid, payload, outcome, received_at, processed_at
       FROM wx_callback_event${mysqlHint(db, 'FORCE INDEX (wx_callback_event_person_idx)')}
       WHERE app_id = ? AND open_id = ? AND event_time >= ? ORDER BY event_time LIMIT ?) person
     WHERE msgid = ? ORDER BY event_time, received_at`,
    [appId, openId, since, LOOKS, msgid],
  )
}
