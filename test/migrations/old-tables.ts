import type { Knex } from 'knex'
import { isSqlite, selectRows } from '../../src/db/sql.js'

export interface OldPermit {
  id: number
  open_id: string | null
  user_id: number | null
  form_id: string | null
  expire: number | null
  status: number | null
}

export interface OldCounter {
  id: number
  user_id: number | null
  count: number | null
  last_date: number | null
}

export interface Permit extends OldPermit {
  app_id: string
  use_no: number
  form_id: string
  user_id: number
  expire: number
  status: number
}

export interface Counter extends OldCounter {
  app_id: string
  user_id: number
  count: number
  last_date: number
}

/** The two tables as they were published, or drifted: another engine, no unique key on the user. */
export async function createOldTables(
  db: Knex,
  { engine = 'InnoDB', uniqueUser = true }: { engine?: 'InnoDB' | 'MyISAM'; uniqueUser?: boolean } = {},
): Promise<void> {
  const sqlite = isSqlite(db)
  const id = sqlite ? 'id integer PRIMARY KEY AUTOINCREMENT' : 'id int unsigned AUTO_INCREMENT PRIMARY KEY'
  const options = sqlite ? '' : `ENGINE=${engine} DEFAULT CHARSET=utf8`
  await db.raw(`CREATE TABLE wx_save_form_id (${id}, open_id char(100), user_id int, form_id char(100),
    expire bigint, status int(1) DEFAULT 0) ${options}`)
  await db.raw(`CREATE TABLE wx_message_push_status (${id}, user_id int${uniqueUser ? ' UNIQUE' : ''},
    count int DEFAULT 1, last_date bigint DEFAULT 0) ${options}`)
}

export async function insertOldRows(db: Knex, permits: OldPermit[], counters: OldCounter[]): Promise<void> {
  await db.transaction(async (trx) => {
    // As a restored dump does, so that id 0 stays what it is.
    if (!isSqlite(trx)) await trx.raw("SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')")
    if (permits.length > 0) await trx('wx_save_form_id').insert(permits)
    if (counters.length > 0) await trx('wx_message_push_status').insert(counters)
    if (!isSqlite(trx))
      await trx.raw("SET SESSION sql_mode = REPLACE(@@sql_mode, 'NO_AUTO_VALUE_ON_ZERO', '')")
  })
}

export function readPermits(db: Knex): Promise<Permit[]> {
  return selectRows<Permit>(
    db,
    'SELECT id, app_id, open_id, user_id, form_id, use_no, expire, status FROM wx_save_form_id ORDER BY id',
  )
}

export function readCounters(db: Knex): Promise<Counter[]> {
  return selectRows<Counter>(
    db,
    'SELECT id, app_id, user_id, count, last_date FROM wx_message_push_status ORDER BY app_id, user_id, id',
  )
}

export async function dropAllTables(db: Knex): Promise<void> {
  const tables = await selectRows<{ name: string }>(
    db,
    isSqlite(db)
      ? "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
      : "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'",
  )
  for (const name of await viewNames(db)) await db.schema.dropView(name)
  for (const { name } of tables) await db.schema.dropTable(name)
}

async function viewNames(db: Knex): Promise<string[]> {
  const views = await selectRows<{ name: string }>(
    db,
    isSqlite(db)
      ? "SELECT name FROM sqlite_master WHERE type = 'view'"
      : 'SELECT table_name AS name FROM information_schema.views WHERE table_schema = DATABASE()',
  )
  return views.map(({ name }) => name)
}

/** Users whose counter is not the number of their unspent permits, or who have none or several. Empty when all is well. */
export async function wrongCounters(db: Knex): Promise<unknown[]> {
  const [permits, counters] = [await readPermits(db), await readCounters(db)]
  const keys = [...permits, ...counters].map(({ app_id, user_id }) => `${app_id}/${user_id}`)
  return [...new Set(keys)]
    .map((key) => {
      const unspent = permits.filter((p) => `${p.app_id}/${p.user_id}` === key && p.status === 0).length
      const counts = counters.filter((c) => `${c.app_id}/${c.user_id}` === key).map(({ count }) => count)
      return { key, unspent, counts }
    })
    .filter(({ unspent, counts }) => counts.length !== 1 || counts[0] !== unspent)
}
