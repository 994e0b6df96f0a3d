import type { Knex } from 'knex'
import type { ReminderData } from '../account.js'
import type { PermitSource } from '../books/index.js'
import type { Channel } from '../channel.js'
import { byPrimaryKey, mysqlHint, placeholders, selectRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'
import { isStopped } from '../users/stopped.js'
import type { TemplateData } from '../wechat/messages.js'
import type { HeldMessage, Lease, MessageKind } from './message.js'
import { literalTexts, renderReminder } from './text.js'

/** What a takeover reads of the messages that it now holds. */

export type Unwanted = 'signed_in' | 'stopped' | 'textless'

/**
 * Somebody has deleted the row that says what the message says: of a reminder its card, of a submitted message its own. A
 * card of submitted messages has no texts.
 */
const IS_TEXTLESS = "x.message_id IS NULL AND (c.id IS NULL OR m.kind = 'api' AND c.data = '{}')"

/**
 * Finds those of these messages whose user is sent nothing any more, that have lost their texts, and reminders whose user
 * has signed in on that day, and why.
 */
export async function findUnwanted(trx: Knex.Transaction, ids: number[]): Promise<Map<number, Unwanted>> {
  const rows = await selectRows<{ id: number; why: Unwanted }>(
    trx,
    `SELECT m.id, CASE WHEN ${IS_TEXTLESS} THEN 'textless' WHEN s.user_id IS NULL THEN 'stopped' ELSE 'signed_in' END AS why
     FROM wx_push_message m
     LEFT JOIN wx_card c ON c.id = m.card_id
     LEFT JOIN wx_submitted_message x ON x.message_id = m.id
     LEFT JOIN wx_sign_in s${mysqlHint(trx, 'FORCE INDEX (PRIMARY)')}
       ON s.app_id = m.app_id AND s.user_id = m.user_id AND s.day = m.business_date
     LEFT JOIN wx_user u${mysqlHint(trx, 'IGNORE INDEX (PRIMARY)')}
       ON u.app_id = m.app_id AND u.user_id = m.user_id AND ${isStopped('u', 'COALESCE(x.template_id, c.template_id)')}
     WHERE m.id IN (${placeholders(ids.length)}) AND (${IS_TEXTLESS} OR s.user_id IS NOT NULL OR u.open_id IS NOT NULL)`,
    ids,
  )
  return new Map(rows.map(({ id, why }) => [id, why]))
}

interface HeldRow {
  id: number
  kind: MessageKind
  state: 'queued' | 'sending'
  app_id: string
  user_id: UserId
  open_id: string | null
  addressed_to: string | null
  channel: Channel
  template_id: string
  page: string
  data: string
  streak: number
  permit_id: number | null
  form_id: string | null
  source: PermitSource | null
  attempts: number
  spared: number | null
  submitted_by: string | null
  maybe_sent: number
  business_date: number | null
  run_id: number | null
  not_after: number | null
  claimed_at: number
}

/**
 * The channel of a message: that of its card `c`, or, where somebody has deleted it, the one that takes permits like `f`.
 * Everything else that a submitted message needs is in a row of its own.
 */
const CHANNEL = `COALESCE(c.channel,
       CASE f.source WHEN 'subscribe' THEN 'subscribe' WHEN 'form' THEN 'form_id' WHEN 'pay' THEN 'form_id' ELSE 'official' END)`

/** Reads the messages of these that a claim holds, as they are to be sent, each with the permit that it keeps. */
export async function findHeld(trx: Knex.Transaction, ids: number[], lease: Lease): Promise<HeldMessage[]> {
  const rows = await selectRows<HeldRow>(
    trx,
    `SELECT m.id, m.kind, m.state, m.app_id, m.user_id, COALESCE(m.open_id, f.open_id) AS open_id,
       CASE WHEN m.kind = 'api' THEN m.open_id END AS addressed_to,
       ${CHANNEL} AS channel, COALESCE(s.template_id, c.template_id, '') AS template_id,
       COALESCE(s.page, c.page, '') AS page, COALESCE(s.data, c.data, '{}') AS data, m.streak, m.permit_id,
       f.form_id, f.source, m.attempts, s.spared, s.submitted_by, m.maybe_sent, m.business_date, m.run_id, s.not_after,
       COALESCE(NULLIF(s.claimed_at, 0), m.created_at) AS claimed_at
     FROM wx_push_message m${byPrimaryKey(trx)} LEFT JOIN wx_card c ON c.id = m.card_id LEFT JOIN wx_save_form_id f ON f.id = m.permit_id
     LEFT JOIN wx_submitted_message s ON s.message_id = m.id
     WHERE m.id IN (${placeholders(ids.length)}) AND m.claim_id = ? ORDER BY m.id`,
    [...ids, lease.claimId],
  )
  return rows.map((row) => ({
    id: row.id,
    lease,
    state: row.state,
    kind: row.kind,
    appId: row.app_id,
    userId: row.user_id,
    openId: row.open_id ?? '',
    addressedTo: row.addressed_to,
    channel: row.channel,
    templateId: row.template_id,
    page: row.page,
    data: render(row),
    permitId: row.permit_id,
    formId: row.form_id ?? '',
    permitSource: row.source,
    attempts: row.attempts,
    spared: row.spared ?? 0,
    submittedBy: row.submitted_by ?? '',
    maybeSent: row.maybe_sent === 1,
    businessDate: row.business_date,
    runId: row.run_id,
    notAfter: row.not_after,
    createdAt: row.claimed_at,
  }))
}

function render({ data, business_date: date, streak }: HeldRow): TemplateData {
  const texts: ReminderData = JSON.parse(data)
  return date === null ? literalTexts(texts) : renderReminder(texts, { date, streak })
}
