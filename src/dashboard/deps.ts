import type { Knex } from 'knex'
import type { Account } from '../account.js'
import type { Finding } from '../findings/finding.js'
import type { Logger } from '../lib/logger.js'
import type { TokenCounters } from '../tokens/shared-token.js'
import type { OperatorRuns } from './operator-runs.js'

/** What this process alone knows. */
export interface OperatorsView {
  tokenCounters: TokenCounters
  redis: { isSet: boolean; sendRate: number | undefined }
}

/** What only operators may do and see. */
export interface Operators {
  /** As it is or as a hash. */
  password: string
  /** Starts today's run in this process. */
  runs: OperatorRuns
  /** The checks of `doctor`. They take seconds, and ask WeChat. */
  examine(): Promise<Finding[]>
  view(): OperatorsView
}

/** What the operators' pages work with. */
export interface DashboardDeps {
  db: Knex
  account: Account
  /** Without them, the pages only say how to switch them on. */
  operators?: Operators
  /** What happened longer ago is no longer known. */
  retentionDays: number
  log: Logger
  now(): number
}
