import { expect } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { findWrongOutcomes } from '../../src/operations/outcome-store.js'
import type { Real } from './commands.js'
import type { Model } from './model.js'

interface Row {
  id: number
  user_id: number
  business_date: number | null
  form_id: string
  state: string
  attempts: number
  maybe_sent: number
  claim_id: number
  next_attempt_at: number | null
  lease_until: number | null
}

/** The tables say what the model says, and with WeChat's ledger they keep the promises of docs/delivery.md. */
export async function expectAgreement(model: Model, { db, wechat }: Real): Promise<void> {
  const permits = await selectRows<{ form_id: string; status: number }>(
    db,
    'SELECT form_id, status FROM wx_save_form_id ORDER BY id',
  )
  expect(permits).toEqual(model.permits.map(({ formId, status }) => ({ form_id: formId, status })))

  const counters = await selectRows<{ user_id: number; count: number; last_date: number; unspent: number }>(
    db,
    `SELECT user_id, count, last_date, (SELECT COUNT(*) FROM wx_save_form_id f
       WHERE f.app_id = p.app_id AND f.user_id = p.user_id AND f.status = 0) AS unspent
     FROM wx_message_push_status p ORDER BY id`,
  )
  for (const { count, unspent } of counters) expect(count).toBe(unspent)
  expect(counters.map(({ user_id, last_date, count }) => [user_id, last_date, count])).toEqual(
    [...model.lastDates].map(([userId, lastDate]) => [userId, lastDate, model.count(userId)]),
  )

  const messages = await selectRows<Row>(
    db,
    `SELECT m.id, m.user_id, m.business_date, f.form_id, m.state, m.attempts, m.maybe_sent, m.claim_id,
       r.next_attempt_at, c.lease_until
     FROM wx_push_message m JOIN wx_save_form_id f ON f.id = m.permit_id
     LEFT JOIN wx_claim c ON c.id = m.claim_id AND m.state IN ('queued', 'sending')
     LEFT JOIN wx_message_retry r ON r.message_id = m.id ORDER BY m.id`,
  )
  expect(messages.map(shapeOfRow)).toEqual(model.messages.map(shapeOfModel))
  for (const { state, lease_until, next_attempt_at } of messages) {
    // Not lost: whatever is open has a lease that ends or a time at which it is due.
    const isInHands = state === 'queued' || state === 'sending'
    expect([lease_until !== null, next_attempt_at !== null]).toEqual([isInHands, state === 'retry'])
  }

  expect(await findWrongOutcomes(db, { since: 0 }, 10)).toEqual([])

  const days = messages.flatMap(({ user_id, business_date, state }) =>
    state === 'cancelled' ? [] : [`${user_id} ${business_date}`],
  )
  expect(new Set(days).size).toBe(days.length)

  const times = new Map<number, number>()
  for (const { messageId } of wechat.delivered) times.set(messageId, (times.get(messageId) ?? 0) + 1)
  for (const { id, state, maybe_sent } of messages) {
    const delivered = times.get(id) ?? 0
    expect(delivered).toBeLessThanOrEqual(1)
    if (state === 'delivered') expect(delivered).toBe(1)
    if (state === 'failed' || state === 'cancelled') expect(delivered).toBe(0)
    // Out there and not known: somebody has it in hand, or the doubt is on record.
    if (delivered === 1 && (state === 'queued' || state === 'retry')) expect(maybe_sent).toBe(1)
  }
}

const OPEN = new Set(['queued', 'sending', 'retry'])

function shapeOfRow({ id, user_id, form_id, state, attempts, maybe_sent, next_attempt_at }: Row) {
  const doubt = OPEN.has(state) ? maybe_sent === 1 : undefined
  return { id, userId: user_id, formId: form_id, state, attempts, doubt, dueAt: next_attempt_at ?? 0 }
}

function shapeOfModel({ id, userId, formId, state, attempts, doubt, dueAt }: Model['messages'][number]) {
  return {
    id,
    userId,
    formId,
    state,
    attempts,
    doubt: OPEN.has(state) ? doubt : undefined,
    dueAt: state === 'retry' ? dueAt : 0,
  }
}
