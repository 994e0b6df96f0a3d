import type { Knex } from 'knex'
import { execute, selectRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'
import type { AnswerRecord } from './judged.js'

/** Statements on a message that no run has claimed: one, for one person. */

export interface NewSingle {
  appId: string
  userId: UserId
  openId: string
  cardId: number
  claimId: number
  permitId: number | null
}

/** Writes the message, waiting for its request to leave. It is no reminder, so it has no day. Returns its id. */
export async function insertSingle(trx: Knex.Transaction, single: NewSingle, now: number): Promise<number> {
  const { appId, userId, openId, cardId, claimId, permitId } = single
  const { insertId } = await execute(
    trx,
    `INSERT INTO wx_push_message (app_id, user_id, open_id, kind, claim_id, permit_id, card_id, state, created_at, updated_at)
     VALUES (?, ?, ?, 'api', ?, ?, ?, 'queued', ?, ?)`,
    [appId, userId, openId, claimId, permitId, cardId, now, now],
  )
  return insertId
}

/** How a message stands. */
export interface StandingOfMessage extends AnswerRecord {
  state: 'queued' | 'sending' | 'retry' | 'delivered' | 'failed' | 'unknown' | 'cancelled'
  maybe_sent: number
  permit_id: number | null
}

export async function findStanding(db: Knex, id: number): Promise<StandingOfMessage | undefined> {
  const [row] = await selectRows<StandingOfMessage>(
    db,
    'SELECT state, maybe_sent, permit_id, errcode, errmsg, rid, msgid FROM wx_push_message WHERE id = ?',
    [id],
  )
  return row
}

/** The user who gave permits under this open_id, of a person whom no table of ours names. Uses wx_save_form_id_tap_idx. */
export async function findGiver(db: Knex, appId: string, openId: string): Promise<UserId | undefined> {
  const [row] = await selectRows<{ user_id: UserId }>(
    db,
    'SELECT user_id FROM wx_save_form_id WHERE app_id = ? AND open_id = ? LIMIT 1',
    [appId, openId],
  )
  return row?.user_id
}
