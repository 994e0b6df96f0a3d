import type { ObserveStatement } from '../db/observed-client.js'
import { type Instruments, SECONDS } from './instruments.js'

const VERBS = new Set(['select', 'insert', 'update', 'delete', 'begin', 'commit', 'rollback', 'block'])

export function createStatementMetrics(instruments: Instruments): ObserveStatement {
  const durations = instruments.histogram(
    'database_statement_duration_seconds',
    'Time that the database took for a statement, by its first word; block: several that MariaDB takes together.',
    SECONDS,
    ['statement'],
  )
  const failures = instruments.counter(
    'database_statement_failures_total',
    'Statements that the database did not carry out, by their first word. Deadlocks and duplicates that are part of the plan count too.',
    ['statement'],
  )
  return ({ verb, seconds, failed }) => {
    const statement = VERBS.has(verb) ? verb : 'other'
    durations.observe({ statement }, seconds)
    if (failed) failures.inc({ statement })
  }
}
