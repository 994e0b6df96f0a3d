import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { type PoolState, poolStateOf } from '../db/pool.js'
import type { Finding } from '../findings/finding.js'
import { addDays, businessDate, timeOn } from '../lib/business-date.js'
import { type Cron, firingsOn, parseCron } from '../lib/cron.js'
import { findInstances, type InstanceAnswer } from '../operations/instances.js'
import { examineKept } from '../preflight/examine-account.js'
import { findRunStatus, type RunStatus } from '../reminders/status.js'
import { PURGE_HOUR } from '../retention/job.js'
import { createTableStore } from '../tokens/table-store.js'
import { type ActionRow, findActions } from './action-store.js'
import type { OperatorsView } from './deps.js'
import * as store from './health-store.js'

/** What Health shows. Read at each load: a few rows by their keys. */
export interface Health {
  now: number
  /** Times of the token in ms; null = there is none. */
  token: { remainingMs: number; ageMs: number; isBeingFetched: boolean } | null
  view: OperatorsView
  /** Whether WeChat's quota stopped today's run. */
  isQuotaUp: boolean
  /** What is left of it; null: not known. */
  quota: RunStatus['quota']
  /** Whether the reminder's template is there and fits, by the list as it was kept; null: there is none. */
  preflight: { findings: Finding[]; listedAt: number | null }
  lastEvent: number | null
  database: { version: string; ms: number; pool: PoolState }
  /** The next firing of each job, in ms. */
  next: Record<'remind' | 'expire' | 'purge', number | undefined>
  instances: InstanceAnswer[]
  actions: ActionRow[]
}

const ACTIONS_SHOWN = 50

export async function findHealth(
  db: Knex,
  account: Account,
  view: OperatorsView,
  now: number,
): Promise<Health> {
  const { appId } = account
  const asked = performance.now()
  const version = await store.findVersion(db)
  const ms = performance.now() - asked
  const token = await createTableStore(db, appId).read()
  const status = await findRunStatus(db, account, businessDate(now, account.timezone), now)
  return {
    now,
    token:
      token && token.token !== null
        ? {
            remainingMs: token.remainingMs,
            ageMs: token.lifetimeMs - token.remainingMs,
            isBeingFetched: token.leaseLeftMs > 0,
          }
        : null,
    view,
    quota: status.quota,
    preflight: await examineKept(db, account),
    isQuotaUp: status.state === 'paused' && status.errors.some((error) => error.class === 'quota'),
    lastEvent: await store.findLastEvent(db, appId),
    database: { version, ms, pool: poolStateOf(db) },
    next: nextFirings(account, now),
    instances: await findInstances(db, appId),
    actions: await findActions(db, appId, ACTIONS_SHOWN),
  }
}

function nextFirings({ remindCron, expireCron, timezone, templateId }: Account, now: number): Health['next'] {
  const today = businessDate(now, timezone)
  const purge = timeOn(today, PURGE_HOUR, 0, timezone)
  return {
    remind: templateId === '' ? undefined : nextFiring(parseCron(remindCron), timezone, now),
    expire: nextFiring(parseCron(expireCron), timezone, now),
    purge: purge > now ? purge : timeOn(addDays(today, 1), PURGE_HOUR, 0, timezone),
  }
}

const YEAR = 366

/** undefined: not within a year. */
function nextFiring(cron: Cron, zone: string, now: number): number | undefined {
  const today = businessDate(now, zone)
  for (let day = 0; day <= YEAR; day++) {
    const found = firingsOn(cron, addDays(today, day), zone).find((time) => time > now)
    if (found !== undefined) return found
  }
  return undefined
}
