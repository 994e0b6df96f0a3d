import { randomUUID } from 'node:crypto'
import type { Knex } from 'knex'
import { isDuplicate } from '../db/errors.js'
import { inRequest } from '../db/transaction.js'
import type { UserId } from '../lib/user-id.js'
import { bindUsers } from '../users/user-ids.js'
import { acceptTap } from './subscriptions.js'

/** What a page got from wx.requestSubscribeMessage for one template. */
export interface SubscriptionResult {
  appId: string
  openId: string
  userId: UserId
  templateId: string
  /** Unchanged: accept, reject, ban, filter and others. */
  result: string
  /** The client's id for the tap, the same in each report of it. */
  tapId: string | undefined
  /** When the user tapped, in ms; undefined = just now. */
  tappedAt: number | undefined
}

export type SubscriptionOutcome =
  | { outcome: 'accepted' | 'duplicate' }
  | { outcome: 'refused'; reason: SubscriptionRefusal; error?: { code: string; message: string } }

/** Why a result is not a permit. */
export type SubscriptionRefusal =
  | 'rejected'
  | 'banned'
  | 'filtered'
  | 'unknown_result'
  | 'outdated'
  | 'too_many'
  | 'open_id_of_another_user'
  | 'unknown_template'

const REFUSALS: ReadonlyMap<string, SubscriptionRefusal> = new Map([
  ['reject', 'rejected'],
  ['ban', 'banned'],
  ['filter', 'filtered'],
])

/**
 * Counts the consent of one tap. acceptWithAudio, acceptWithAlert and anything else that begins with accept
 * is consent (wx.requestSubscribeMessage). Without a tap_id the tap is known by its time; without both, each
 * report counts as a tap of its own.
 */
export async function reportSubscription(
  db: Knex,
  report: SubscriptionResult,
  now: number,
): Promise<SubscriptionOutcome> {
  const { appId, openId, userId, templateId, tapId, tappedAt } = report
  if (!report.result.startsWith('accept'))
    return { outcome: 'refused', reason: REFUSALS.get(report.result) ?? 'unknown_result' }
  const reportId = tapId ?? (tappedAt === undefined ? randomUUID() : `at ${tappedAt}`)
  return inRequest(
    db,
    async (trx) => {
      const users = await bindUsers(trx, appId, [{ openId, userId }], now)
      if (users.get(openId) !== userId) return { outcome: 'refused', reason: 'open_id_of_another_user' }
      const tap = { appId, openId, userId, templateId, tappedAt: Math.min(tappedAt ?? now, now), reportId }
      const outcome = await acceptTap(trx, { ...tap, reporter: 'client' }, now)
      return outcome === 'outdated' || outcome === 'too_many'
        ? { outcome: 'refused', reason: outcome }
        : { outcome }
    },
    isDuplicate,
  )
}
