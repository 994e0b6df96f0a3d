import type { Knex } from 'knex'
import { BLOCK } from './together.js'

/** A statement that has ended. */
export interface StatementSeen {
  /** Its first word in lower case, such as select, insert or commit; block: several in one (db/together.ts). */
  verb: string
  seconds: number
  failed: boolean
}

export type ObserveStatement = (seen: StatementSeen) => void

interface QueryBase {
  _query(connection: unknown, query: { sql: string }): Promise<unknown>
}

/**
 * A Knex client that tells of each statement, those of transactions included: Knex's own events leave out what does
 * not go through its query builder.
 */
export function observedClient(client: Knex.Config['client'], observe: ObserveStatement): typeof Knex.Client {
  const Base = client as unknown as new (config: Knex.Config) => QueryBase
  class ObservedClient extends Base {
    override async _query(connection: unknown, query: { sql: string }): Promise<unknown> {
      const began = performance.now()
      let failed = true
      try {
        const answer = await super._query(connection, query)
        failed = false
        return answer
      } finally {
        observe({ verb: verbOf(query.sql), seconds: (performance.now() - began) / 1_000, failed })
      }
    }
  }
  return ObservedClient as unknown as typeof Knex.Client
}

function verbOf(sql: string): string {
  if (sql.startsWith(BLOCK)) return 'block'
  return /^[\s(]*([a-z]+)/i.exec(sql)?.[1]?.toLowerCase() ?? ''
}
