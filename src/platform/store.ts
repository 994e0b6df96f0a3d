import type { Knex } from 'knex'
import { databaseNow, execute, isSqlite, selectRows } from '../db/sql.js'

/** wx_platform_answer: a few rows per account, each found by its key. */

export interface KeptRow {
  /** JSON, as it was written here, or by hand; null = none yet. */
  answer: string | null
  answered_at: number | null
  /** Why the last question had no answer; null if it had one. */
  failure: string | null
  asked_for: string
  /** Grows with each question that came to an end. */
  version: number
}

/** Whose answer, and about what. */
export interface Subject {
  appId: string
  subject: string
}

export async function findKept(db: Knex, { appId, subject }: Subject): Promise<KeptRow | undefined> {
  const [row] = await selectRows<KeptRow>(
    db,
    'SELECT answer, answered_at, failure, asked_for, version FROM wx_platform_answer WHERE app_id = ? AND subject = ?',
    [appId, subject],
  )
  return row
}

/** Makes this process the one that asks. False if another one is at it, or has asked since `version` was read. */
export async function takeLease(
  db: Knex,
  { appId, subject }: Subject,
  { owner, version, leaseMs }: { owner: string; version: number; leaseMs: number },
): Promise<boolean> {
  const now = databaseNow(db)
  if (version === 0)
    await execute(
      db,
      `INSERT ${isSqlite(db) ? 'OR IGNORE' : 'IGNORE'} INTO wx_platform_answer (app_id, subject) VALUES (?, ?)`,
      [appId, subject],
    )
  const { affectedRows } = await execute(
    db,
    `UPDATE wx_platform_answer SET owner = ?, lease_until = ${now} + ?
     WHERE app_id = ? AND subject = ? AND version = ? AND lease_until <= ${now}`,
    [owner, leaseMs, appId, subject, version],
  )
  return affectedRows > 0
}

/** Ends the lease with an answer. Nothing is written if another process has taken over. */
export async function writeAnswer(
  db: Knex,
  { appId, subject }: Subject,
  owner: string,
  { answer, at, askedFor }: { answer: string; at: number; askedFor: string },
): Promise<void> {
  await execute(
    db,
    `UPDATE wx_platform_answer SET answer = ?, answered_at = ?, failure = NULL, asked_for = ?, version = version + 1,
       owner = '', lease_until = 0 WHERE app_id = ? AND subject = ? AND owner = ?`,
    [answer, at, askedFor, appId, subject, owner],
  )
}

/** Ends the lease without one: the last answer stays. */
export async function writeFailure(
  db: Knex,
  { appId, subject }: Subject,
  owner: string,
  { failure, askedFor }: { failure: string; askedFor: string },
): Promise<void> {
  await execute(
    db,
    `UPDATE wx_platform_answer SET failure = ?, asked_for = ?, version = version + 1, owner = '', lease_until = 0
     WHERE app_id = ? AND subject = ? AND owner = ?`,
    [failure.slice(0, MAX_FAILURE), askedFor, appId, subject, owner],
  )
}

const MAX_FAILURE = 200

/** Ends the lease as if nothing had been asked. */
export async function releaseLease(db: Knex, { appId, subject }: Subject, owner: string): Promise<void> {
  await execute(
    db,
    `UPDATE wx_platform_answer SET owner = '', lease_until = 0 WHERE app_id = ? AND subject = ? AND owner = ?`,
    [appId, subject, owner],
  )
}
