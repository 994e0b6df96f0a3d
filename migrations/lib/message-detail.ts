import type { Knex } from 'knex'
import { isSqlite } from '../../src/db/sql.js'

/**
 * The view wx_push_message_detail: each message with what its narrow row leaves to other tables. `submitted` says whether
 * the table of submitted messages is there.
 */
export async function createMessageDetail(db: Knex, { submitted }: { submitted: boolean }): Promise<void> {
  const day = isSqlite(db)
    ? "SUBSTR(m.business_date, 1, 4) || '.' || SUBSTR(m.business_date, 5, 2) || '.' || SUBSTR(m.business_date, 7, 2)"
    : "CONCAT(SUBSTR(m.business_date, 1, 4), '.', SUBSTR(m.business_date, 5, 2), '.', SUBSTR(m.business_date, 7, 2))"
  const ofReminder = `REPLACE(REPLACE(c.data, '{streak}', m.streak), '{date}', COALESCE(${day}, '{date}'))`
  const own = submitted
    ? {
        says: `COALESCE(s.page, c.page) AS page, COALESCE(s.data, ${ofReminder}) AS data,
       s.state AS submitted_state, s.not_before, s.not_after, s.submitted_by`,
        join: 'LEFT JOIN wx_submitted_message s ON s.message_id = m.id',
      }
    : { says: `c.page, ${ofReminder} AS data`, join: '' }
  await db.raw('DROP VIEW IF EXISTS wx_push_message_detail')
  await db.raw(
    `CREATE VIEW wx_push_message_detail AS
     SELECT m.id, m.app_id, m.user_id, COALESCE(m.open_id, f.open_id) AS open_id, m.kind, m.business_date, m.run_id,
       m.state, m.attempts, m.maybe_sent, m.errcode, m.errmsg, m.rid, m.msgid, m.delivery_status,
       m.permit_id, f.form_id, f.source, f.expire,
       c.channel, c.template_id, ${own.says},
       m.streak, m.last_date_before, m.claim_id, l.lease_until, r.next_attempt_at,
       m.created_at, m.settled_at, m.updated_at
     FROM wx_push_message m
     LEFT JOIN wx_card c ON c.id = m.card_id
     LEFT JOIN wx_save_form_id f ON f.id = m.permit_id
     LEFT JOIN wx_claim l ON l.id = m.claim_id AND m.state IN ('queued', 'sending')
     LEFT JOIN wx_message_retry r ON r.message_id = m.id ${own.join}`,
  )
}
