import type { Knex } from 'knex'
import type { Accounts } from '../accounts.js'
import type { Finding } from '../findings/finding.js'
import type { Logger } from '../lib/logger.js'
import type { TokenCounters } from '../tokens/shared-token.js'
import type { Background } from './background.js'
import type { OperatorRuns } from './operator-runs.js'

/** What this process alone knows. */
export interface OperatorsView {
  tokenCounters: TokenCounters
  redis: { isSet: boolean; sendRate: number | undefined }
}

/** What only operators may do and see, of one account. */
export interface Operators {
  /** Starts today's run in this process. */
  runs: OperatorRuns
  /** Dead letters that are queued again. */
  requeues: Background
  /** Signals that messages have been queued. */
  onQueued(): void
  /** The checks of `doctor`. They take seconds, and ask WeChat. */
  examine(): Promise<Finding[]>
  view(): OperatorsView
  /** Ends what is under way in order. Nothing is started afterwards. */
  stop(): Promise<void>
}

/** What the operators' pages work with. */
export interface DashboardDeps {
  db: Knex
  accounts: Accounts
  /** As it is or as a hash; without it, the pages only say how to switch them on. */
  adminPassword: string | undefined
  /** Throws `unknown_account`. */
  operatorsOf(appId: string): Operators
  /** What happened longer ago is no longer known. */
  retentionDays: number
  log: Logger
  now(): number
}
