import type { BenchDatabase } from '../rig/database.js'
import type { Figures } from '../rig/measure.js'
import type { Script } from '../rig/process.js'

/** How much work one round is. */
export interface Scale {
  users: number
  articleUsers: number
  sequentialUsers: number
  bullmqUsers: number
  sqliteUsers: number
  loadSeconds: number
  /** Before a load is measured. After its first 10,000 requests a listener takes half as much for each (loaded machine: 178, then 94 us). */
  warmUpSeconds: number
  stalePermits: number
  growth: GrowthScale
}

export interface GrowthScale {
  /** Users whom each of the growth cases reaches. */
  reached: number
  /** Users of the large account. */
  many: number
  historyDays: number
  settledMessages: number
}

export const FULL: Scale = {
  users: 50_000,
  articleUsers: 50_000,
  sequentialUsers: 5_000,
  bullmqUsers: 50_000,
  sqliteUsers: 30_000,
  loadSeconds: 8,
  warmUpSeconds: 2,
  stalePermits: 200_000,
  growth: { reached: 50_000, many: 1_000_000, historyDays: 30, settledMessages: 10_000_000 },
}

/** Three rounds in under two minutes, a second or two of work each: the starts of processes take a third of that. */
export const QUICK: Scale = {
  users: 8_000,
  articleUsers: 4_000,
  sequentialUsers: 1_000,
  bullmqUsers: 1_200,
  sqliteUsers: 8_000,
  loadSeconds: 1,
  warmUpSeconds: 0.5,
  stalePermits: 30_000,
  growth: { reached: 5_000, many: 50_000, historyDays: 10, settledMessages: 200_000 },
}

export interface Rig {
  mysql: BenchDatabase
  sqlite: BenchDatabase
  scale: Scale
}

/** One thing that is measured. Its name is how targets find it. */
export interface Candidate {
  name: string
  /** Of what a unit is: users, uploads, permits. */
  unit: string
  run(rig: Rig): Promise<Figures>
}

export async function withScripts<T>(scripts: Script[], work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } finally {
    await Promise.all(scripts.map((script) => script.kill()))
  }
}
