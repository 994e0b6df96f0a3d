import type { Violations } from './check.js'
import type { ResumeWatch } from './resume.js'
import type { UnknownCounts } from './unknowns.js'

export const CHANNELS = ['form_id', 'subscribe', 'official'] as const

export interface ChaosOptions {
  channel: (typeof CHANNELS)[number]
  database: 'mysql' | 'sqlite'
  kills: number
  seed: number
  /** Built command line, see program.ts. */
  main: string
  /** Places for processes that serve or remind; an `expire` now and then comes on top. */
  processes: number
  /** Share of the calls to WeChat that are struck. */
  faultRate: number
  /** Keeps traces and tables even if all is well. */
  keep?: boolean
  onProgress?(kills: number): void
  /** Gives up, and says so, after this time. */
  timeoutMs?: number
}

export interface ChaosReport {
  ok: boolean
  channel: ChaosOptions['channel']
  seed: number
  database: string
  processes: number
  fault_rate: number
  violations: Violations
  /** What kept the driver itself from its end, if anything did. */
  trouble: string[]
  kills: number
  /** Kills by failpoint, and those that waited for none. */
  killed_at: Record<string, number>
  freezes: number
  frozen_at: Record<string, number>
  terminations: number
  database_restarts: number
  starts: number
  messages: Record<string, number>
  /** Why messages ended as `unknown`, where the channel has no key. */
  unknown?: UnknownCounts
  /** What backends did, and how their messages ended. */
  submitted: Record<string, number>
  submitted_unknown?: UnknownCounts
  delivered_by_wechat: number
  users: number
  uploads: { stored: number; duplicates: number }
  /** Requests of the backends to the service. */
  calls: { made: number; unanswered: number }
  faults: Record<string, number>
  outages: number
  lease_ms: number
  /** From a kill to the takeover of the first, and of the last, message that it left. */
  resume: ReturnType<ResumeWatch['summary']>
  kills_per_minute: number
  seconds: number
  /** Where traces and tables are, after a violation. */
  folder?: string
}
