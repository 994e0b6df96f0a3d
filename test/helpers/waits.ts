import type { Knex } from 'knex'
import { execute, selectRows } from '../../src/db/sql.js'
import { waiting } from '../../src/messages/outcome.js'
import { addOutcomes } from '../../src/runs/outcomes.js'

/** Lets the messages on which a condition holds wait for their next attempt, as a verdict of `retry` does. */
export async function letWait(db: Knex, where: string, nextAttemptAt: number): Promise<void> {
  await execute(db, `UPDATE wx_push_message SET state = 'retry' WHERE ${where}`)
  await execute(
    db,
    `INSERT INTO wx_message_retry (message_id, app_id, next_attempt_at)
     SELECT id, app_id, ? FROM wx_push_message WHERE ${where}`,
    [nextAttemptAt],
  )
  const runs = await selectRows<{ run_id: number | null; messages: number }>(
    db,
    `SELECT run_id, COUNT(*) AS messages FROM wx_push_message WHERE ${where} GROUP BY run_id`,
  )
  const changes = runs.map(({ run_id, messages }) => waiting(run_id, messages))
  await db.transaction((trx) => addOutcomes(trx, changes, nextAttemptAt))
}

/** Gives messages a claim of their own, as if they had been claimed apart from the others. Returns its id. */
export async function holdApart(db: Knex, where: string, leaseUntil: number): Promise<number> {
  const { insertId } = await execute(
    db,
    `INSERT INTO wx_claim (app_id, lease_until, created_at)
     SELECT app_id, ?, created_at FROM wx_push_message WHERE ${where} LIMIT 1`,
    [leaseUntil],
  )
  await execute(db, `UPDATE wx_push_message SET claim_id = ? WHERE ${where}`, [insertId])
  return insertId
}
