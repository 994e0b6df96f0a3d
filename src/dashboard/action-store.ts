import type { Knex } from 'knex'
import { execute, selectRows } from '../db/sql.js'

export interface NewAction {
  appId: string
  at: number
  who: string
  from: string
  action: string
  details: object
}

export interface ActionRow {
  id: number
  at: number
  who: string
  from_address: string
  action: string
  details: string
  outcome: 'started' | 'done' | 'failed'
  note: string | null
  ended_at: number | null
}

export async function insertAction(db: Knex, action: NewAction): Promise<number> {
  const { appId, at, who, from, details } = action
  const { insertId } = await execute(
    db,
    `INSERT INTO wx_operator_action (app_id, at, who, from_address, action, details, outcome)
     VALUES (?, ?, ?, ?, ?, ?, 'started')`,
    [appId, at, who, from, action.action, JSON.stringify(details)],
  )
  return insertId
}

export async function endAction(
  db: Knex,
  id: number,
  { outcome, note, at }: { outcome: 'done' | 'failed'; note: string | null; at: number },
): Promise<void> {
  await execute(db, 'UPDATE wx_operator_action SET outcome = ?, note = ?, ended_at = ? WHERE id = ?', [
    outcome,
    note,
    at,
    id,
  ])
}

/** The newest actions of an account. Uses wx_operator_action_at_idx. */
export function findActions(db: Knex, appId: string, limit: number): Promise<ActionRow[]> {
  return selectRows(
    db,
    `SELECT id, at, who, from_address, action, details, outcome, note, ended_at FROM wx_operator_action
     WHERE app_id = ? ORDER BY at DESC, id DESC LIMIT ?`,
    [appId, limit],
  )
}
