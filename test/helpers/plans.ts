import type { Knex } from 'knex'
import { isSqlite, selectRows } from '../../src/db/sql.js'
import type { Dialect } from './database.js'

/** How the database finds the rows of a statement. */

export interface Statement {
  sql: string
  bindings: readonly unknown[]
}

/** One access of a plan: which table, by which key. `key` undefined = the table, or an index of it, is read in full. */
export interface Access {
  table: string
  key: string | undefined | Record<Dialect, string>
  /** Columns of the key by which rows are found; where it is given, the plan must use at least these. */
  by?: string[]
  /** Another key that is as good: a person has few permits, whichever of his columns finds them. */
  or?: string
}

/** With the keys as this database names them. */
export function on(dialect: Dialect, accesses: Access[]): (Access & { key: string | undefined })[] {
  return accesses.map(({ key, ...access }) => ({
    ...access,
    key: typeof key === 'object' ? key[dialect] : key,
  }))
}

/** SQLite shows a subquery once for each place that uses its result. */
export const sorted = (accesses: Access[]): string[] =>
  [...new Set(accesses.map(({ table, key }) => `${table}: ${key}`))].sort()

/** The one with the longest list. With a list of one, as for the canary, a plan says no more than that it reads a row. */
export function longest(statements: Statement[]): Statement {
  const [first] = [...statements].sort((a, b) => b.bindings.length - a.bindings.length)
  if (!first) throw new Error('The running code did not send this statement')
  return first
}

export async function explain(db: Knex, { sql, bindings }: Statement): Promise<Access[]> {
  const values = bindings as (string | number | null)[]
  if (isSqlite(db)) {
    // The driver leaves the EXPLAIN of an INSERT open as a write: the plan is that of its SELECT.
    const select = sql.replace(/^\s*INSERT INTO [^()]*\([^()]*\)\s*(?=SELECT)/, '')
    const plan = await selectRows<{ detail: string }>(db, `EXPLAIN QUERY PLAN ${select}`, values)
    const subqueries = plan.map(({ detail }) => /^(?:CO-ROUTINE|MATERIALIZE) (\S+)/.exec(detail)?.[1])
    return plan.flatMap(({ detail }): Access[] => {
      const [, how, table = '', by = ''] = /^(SCAN|SEARCH) (\S+)(.*)$/.exec(detail) ?? []
      if (how === undefined || subqueries.includes(table) || /CONSTANT ROW|^\(/.test(`${table}${by}`))
        return []
      if (how === 'SCAN') return [{ table, key: undefined }]
      const [, index] = /INDEX (\S+)/.exec(by) ?? []
      const key = index?.startsWith('sqlite_autoindex') || !index ? 'PRIMARY' : index
      return [{ table, key, by: by.replace('rowid', 'id').match(/[a-z_]+(?=[^()]*(?:\)?[<=>]))/g) ?? [] }]
    })
  }
  const [plan] = await selectRows<{ EXPLAIN: string }>(db, `EXPLAIN FORMAT=JSON ${sql}`, values)
  return accessesIn(JSON.parse(plan?.EXPLAIN ?? ''))
}

/** The tables that the statement reads in full, which no index of theirs was used for. */
export async function scansOf(db: Knex, statement: Statement): Promise<string[]> {
  return (await explain(db, statement)).flatMap(({ table, key }) => (key === undefined ? [table] : []))
}

/**
 * What a node of MySQL's plan and those below it read. A row that is found by all columns of a unique key is a `const`.
 */
function accessesIn(node: unknown): Access[] {
  if (typeof node !== 'object' || node === null) return []
  const below = Object.values(node).flatMap(accessesIn)
  const {
    table_name: table,
    access_type: type,
    key,
    used_key_parts: by,
    // The two of MySQL that MariaDB leaves out, or calls <derived2>: what a subquery has found, and what a row is put into.
    materialized_from_subquery: subquery,
    insert: isTarget,
  } = node as Record<string, unknown>
  // One row at most, which MariaDB looks up before it plans.
  const isLookedUp = (type === 'system' || type === 'const') && typeof key !== 'string'
  if (typeof table !== 'string' || table.startsWith('<') || subquery || isTarget || isLookedUp) return below
  const isFull = type === 'ALL' || type === 'index'
  const access = { table, key: isFull || typeof key !== 'string' ? undefined : key, by: by as string[] }
  return [access, ...below]
}
