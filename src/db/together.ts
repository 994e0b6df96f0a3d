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

/**
 * Runs statements of a transaction whose answers nobody needs: in one round trip on MariaDB. When one of them fails, the
 * transaction must be rolled back.
 */
export async function executeTogether(trx: Knex.Transaction, statements: Statement[]): Promise<void> {
  if (statements.length > 1 && (await isMariadb(trx)))
    await execute(
      trx,
      `${BLOCK} ${textOf(statements)} END`,
      statements.flatMap(({ bindings }) => bindings),
    )
  else for (const { sql, bindings } of statements) await execute(trx, sql, bindings)
}

/** How a block begins. */
export const BLOCK = 'BEGIN NOT ATOMIC'

function blockOf(statements: Statement[]): string {
  return `${BLOCK}
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
    START TRANSACTION;
    ${textOf(statements)}
    COMMIT;
  END`
}

const textOf = (statements: Statement[]): string => statements.map(({ sql }) => `${sql};\n`).join('')

const servers = new WeakMap<object, Promise<boolean>>()

/** Asks each database once. */
function isMariadb(db: Knex): Promise<boolean> {
  if (isSqlite(db)) return Promise.resolve(false)
  // A pool shares its settings with its transactions and its shares.
  const server: object = db.client.config
  const known = servers.get(server)
  if (known) return known
  const asked = askIsMariadb(db)
  servers.set(server, asked)
  asked.catch(() => servers.delete(server))
  return asked
}

async function askIsMariadb(db: Knex): Promise<boolean> {
  const [row] = await selectRows<{ version: string }>(db, 'SELECT VERSION() AS version')
  return row?.version.includes('MariaDB') === true
}
