import type { Knex } from 'knex'
import { execute, MAX_LIST, rowPlaceholders, type Value } from '../db/sql.js'
import type { Statement } from '../db/together.js'
import { chunks } from '../lib/chunks.js'
import { groupBy } from '../lib/group-by.js'
import { compareKeys } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import { type CounterChange, countingUp, countUp } from './counters.js'
import { NEVER_EXPIRES } from './permit.js'

export interface NewPermit {
  appId: string
  openId: string
  userId: UserId
  formId: string
  /** 1, and also 2 and 3 for a prepay_id. */
  useNo: number
  source: 'form' | 'pay'
  page: string | undefined
  expire: number
}

/**
 * Grants form_ids and prepay_ids: inserts the permits and counts their users up. `permits` must be sorted by account,
 * form_id and use, so that the transactions of other processes lock the same index entries in the same order. Throws
 * a duplicate error if another transaction has inserted one of them first.
 */
export async function grantPermits(trx: Knex.Transaction, permits: NewPermit[], now: number): Promise<void> {
  for (const { sql, bindings } of grantingPermits(trx, permits, now)) await execute(trx, sql, bindings)
}

/** The statements of grantPermits, which belong in one transaction, in this order. */
export function grantingPermits(db: Knex, permits: NewPermit[], now: number): Statement[] {
  const inserts = chunks(permits, MAX_LIST).map((chunk): Statement => {
    const { columns, valuesOf } = chunk.every(isPlain) ? PLAIN : WHOLE
    return {
      sql: `INSERT INTO wx_save_form_id (${columns.join(', ')}) VALUES ${rowPlaceholders(chunk.length, columns.length)}`,
      bindings: chunk.flatMap((permit) => valuesOf(permit, now)),
    }
  })
  return [...inserts, ...countingUp(db, changesOf(permits), now)]
}

/** The columns of a statement, and one row of it. */
interface Shape {
  columns: string[]
  valuesOf(permit: NewPermit, now: number): Value[]
}

/** The other columns keep their defaults: parsing a value costs the database about as much as storing it. */
const PLAIN: Shape = {
  columns: ['app_id', 'open_id', 'user_id', 'form_id', 'expire', 'created_at', 'updated_at'],
  valuesOf: (p, now) => [p.appId, p.openId, p.userId, p.formId, p.expire, now, now],
}
const WHOLE: Shape = {
  columns: [...PLAIN.columns, 'use_no', 'source', 'page'],
  valuesOf: (p, now) => [...PLAIN.valuesOf(p, now), p.useNo, p.source, p.page ?? null],
}

function isPlain({ useNo, source, page }: NewPermit): boolean {
  return useNo === 1 && source === 'form' && page === undefined
}

function changesOf(permits: NewPermit[]): CounterChange[] {
  const changes: CounterChange[] = []
  for (const [appId, ofAccount] of groupBy(permits, (permit) => permit.appId)) {
    const ofUsers = new Map<UserId, CounterChange>()
    for (const { userId } of ofAccount) {
      const change = ofUsers.get(userId)
      if (change) change.by++
      else ofUsers.set(userId, { appId, userId, by: 1 })
    }
    changes.push(...ofUsers.values())
  }
  return changes.sort((a, b) => compareKeys(a.appId, b.appId) || compareKeys(a.userId, b.userId))
}

export interface NewSubscription {
  appId: string
  openId: string
  userId: UserId
  /** Stored as form_id. */
  name: string
  templateId: string
  tappedAt: number
  /** Whether WeChat's own event has reported it. */
  isConfirmed: boolean
}

/**
 * Grants an accepted subscription: a permit that does not expire. Throws a duplicate error if its name is already
 * stored.
 */
export async function grantSubscription(
  trx: Knex.Transaction,
  { appId, openId, userId, name, templateId, tappedAt, isConfirmed }: NewSubscription,
  now: number,
): Promise<void> {
  await execute(
    trx,
    `INSERT INTO wx_save_form_id (app_id, open_id, user_id, form_id, source, template_id, tapped_at, confirmed_at,
       expire, created_at, updated_at) VALUES (?, ?, ?, ?, 'subscribe', ?, ?, ?, ?, ?, ?)`,
    [appId, openId, userId, name, templateId, tappedAt, isConfirmed ? now : null, NEVER_EXPIRES, now, now],
  )
  await countUp(trx, [{ appId, userId, by: 1 }], now)
}

/** WeChat's event reports a tap that the client has already reported. It remains one permit. */
export async function confirmTap(trx: Knex.Transaction, id: number, now: number): Promise<void> {
  await execute(trx, 'UPDATE wx_save_form_id SET confirmed_at = ?, updated_at = ? WHERE id = ?', [
    now,
    now,
    id,
  ])
}

/**
 * The client reports a tap that WeChat's event has already reported. From now on a repeated report finds its name.
 */
export async function renameTap(trx: Knex.Transaction, id: number, name: string, now: number): Promise<void> {
  await execute(trx, 'UPDATE wx_save_form_id SET form_id = ?, updated_at = ? WHERE id = ?', [name, now, id])
}
