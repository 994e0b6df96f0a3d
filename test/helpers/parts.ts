import type { Knex } from 'knex'
import type { AccountParts } from '../../src/app.js'
import { createIngest } from '../../src/permits/ingest.js'

/** Of an account whose uploads are stored, for an app that is built by hand. */
export function testParts(db: Knex): AccountParts {
  return {
    db,
    ingest: createIngest(db),
    intake: { submit: () => Promise.reject(new Error('nobody submits messages')), drain: async () => {} },
    exchangeCode: () => Promise.reject(new Error('nobody logs in')),
    onSubscriptions: () => {},
    onEvents: () => {},
    onUserBound: async () => {},
    onSubmitted: () => {},
    operators: undefined,
  }
}
