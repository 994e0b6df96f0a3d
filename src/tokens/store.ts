import type { Knex } from 'knex'
import { isDuplicate } from '../db/errors.js'
import { databaseNow, execute, selectRows } from '../db/sql.js'

/**
 * The row of an account. Its times are durations by the database's clock, so that no process's clock matters.
 */
export interface StoredToken {
  token: string | null
  /** Until it expires; negative afterwards. */
  remainingMs: number
  /** From the refresh to the end. */
  lifetimeMs: number
  /** Counts refreshes; a change is written only over the version that was read. */
  version: number
  leaseOwner: string | null
  /** Until the refresher's lease lapses; zero or less: free. */
  leaseLeftMs: number
}

export async function readToken(db: Knex, appId: string): Promise<StoredToken | undefined> {
  const now = databaseNow(db)
  const [row] = await selectRows<{
    token: string | null
    remaining: number
    lifetime: number
    version: number
    lease_owner: string | null
    lease_left: number
  }>(
    db,
    `SELECT token, expires_at - ${now} AS remaining, expires_at - COALESCE(refreshed_at, expires_at) AS lifetime,
       version, lease_owner, lease_until - ${now} AS lease_left
     FROM wx_access_token WHERE app_id = ?`,
    [appId],
  )
  if (row === undefined) return undefined
  return {
    token: row.token,
    remainingMs: row.remaining,
    lifetimeMs: row.lifetime,
    version: row.version,
    leaseOwner: row.lease_owner,
    leaseLeftMs: row.lease_left,
  }
}

/** The first lease of an account creates its row. False: another process has just created it. */
export async function insertLeased(
  db: Knex,
  appId: string,
  owner: string,
  leaseMs: number,
): Promise<boolean> {
  const now = databaseNow(db)
  try {
    await execute(
      db,
      `INSERT INTO wx_access_token (app_id, version, lease_owner, lease_until, updated_at)
       VALUES (?, 0, ?, ${now} + ?, ${now})`,
      [appId, owner, leaseMs],
    )
    return true
  } catch (error) {
    if (isDuplicate(error)) return false
    throw error
  }
}

/** Takes the lease if it is free and the token is still the one of `version`. */
export async function takeLease(
  db: Knex,
  appId: string,
  owner: string,
  version: number,
  leaseMs: number,
): Promise<boolean> {
  const now = databaseNow(db)
  const { affectedRows } = await execute(
    db,
    `UPDATE wx_access_token SET lease_owner = ?, lease_until = ${now} + ?, updated_at = ${now}
     WHERE app_id = ? AND version = ? AND lease_until <= ${now}`,
    [owner, leaseMs, appId, version],
  )
  return affectedRows === 1
}

/** False: the lease had lapsed and now belongs to another process. */
export async function extendLease(db: Knex, appId: string, owner: string, leaseMs: number): Promise<boolean> {
  const now = databaseNow(db)
  const { affectedRows } = await execute(
    db,
    `UPDATE wx_access_token SET lease_until = ${now} + ?, updated_at = ${now} WHERE app_id = ? AND lease_owner = ?`,
    [leaseMs, appId, owner],
  )
  return affectedRows === 1
}

/** Writes the new token and ends the lease. False: the lease had lapsed and another process went ahead. */
export async function storeToken(
  db: Knex,
  appId: string,
  owner: string,
  fetched: { version: number; token: string; expiresInMs: number },
): Promise<boolean> {
  const now = databaseNow(db)
  const { affectedRows } = await execute(
    db,
    `UPDATE wx_access_token
     SET token = ?, expires_at = ${now} + ?, version = version + 1, refreshed_at = ${now},
       lease_owner = NULL, lease_until = 0, updated_at = ${now}
     WHERE app_id = ? AND lease_owner = ? AND version = ?`,
    [fetched.token, fetched.expiresInMs, appId, owner, fetched.version],
  )
  return affectedRows === 1
}

export async function releaseLease(db: Knex, appId: string, owner: string): Promise<void> {
  await execute(
    db,
    `UPDATE wx_access_token SET lease_owner = NULL, lease_until = 0, updated_at = ${databaseNow(db)}
     WHERE app_id = ? AND lease_owner = ?`,
    [appId, owner],
  )
}
