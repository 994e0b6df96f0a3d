import type { Knex } from 'knex'
import { isDuplicate } from '../db/errors.js'
import { databaseNow, execute, selectRows } from '../db/sql.js'
import type { FreshToken, StoredToken, TokenStore } from './token-store.js'

/** The token of an account in wx_access_token, on the database's clock: every step is one statement by primary key. */
export function createTableStore(db: Knex, appId: string): TokenStore {
  const now = databaseNow(db)

  async function isChanged(sql: string, bindings: (string | number)[]): Promise<boolean> {
    const { affectedRows } = await execute(db, sql, bindings)
    return affectedRows === 1
  }

  return {
    read: () => readToken(db, appId),
    async insertLeased(owner, leaseMs) {
      try {
        return await isChanged(
          `INSERT INTO wx_access_token (app_id, version, lease_owner, lease_until, updated_at)
           VALUES (?, 0, ?, ${now} + ?, ${now})`,
          [appId, owner, leaseMs],
        )
      } catch (error) {
        if (isDuplicate(error)) return false
        throw error
      }
    },
    takeLease: (owner, version, leaseMs) =>
      isChanged(
        `UPDATE wx_access_token SET lease_owner = ?, lease_until = ${now} + ?, updated_at = ${now}
         WHERE app_id = ? AND version = ? AND lease_until <= ${now}`,
        [owner, leaseMs, appId, version],
      ),
    extendLease: (owner, leaseMs) =>
      isChanged(
        `UPDATE wx_access_token SET lease_until = ${now} + ?, updated_at = ${now} WHERE app_id = ? AND lease_owner = ?`,
        [leaseMs, appId, owner],
      ),
    storeToken: (owner, { token, expiresInMs, version }: FreshToken) =>
      isChanged(
        `UPDATE wx_access_token
         SET token = ?, expires_at = ${now} + ?, version = version + 1, refreshed_at = ${now},
           lease_owner = NULL, lease_until = 0, updated_at = ${now}
         WHERE app_id = ? AND lease_owner = ? AND version = ?`,
        [token, expiresInMs, appId, owner, version],
      ),
    async releaseLease(owner) {
      await isChanged(
        `UPDATE wx_access_token SET lease_owner = NULL, lease_until = 0, updated_at = ${now}
         WHERE app_id = ? AND lease_owner = ?`,
        [appId, owner],
      )
    },
    async replaceText({ version, from, to }) {
      await isChanged('UPDATE wx_access_token SET token = ? WHERE app_id = ? AND version = ? AND token = ?', [
        to,
        appId,
        version,
        from,
      ])
    },
  }
}

async function readToken(db: Knex, appId: string): Promise<StoredToken | undefined> {
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
