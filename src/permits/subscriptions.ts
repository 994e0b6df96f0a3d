import type { Knex } from 'knex'
import * as books from '../books/index.js'
import { MINUTE_MS } from '../lib/durations.js'
import { sha256 } from '../lib/sha256.js'
import type { UserId } from '../lib/user-id.js'
import { lockPerson } from '../users/lock-store.js'
import { liftRefusal } from '../users/stop-store.js'
import { CODE } from '../wechat/codes.js'
import { findCounts } from './known-store.js'
import * as store from './subscription-store.js'

/**
 * One accepted one-time subscription is one message, and does not expire (WeChat: 小程序订阅消息). The client
 * reports it, and WeChat's subscribe_msg_popup_event reports the same tap: here the two become one permit.
 */
export interface SubscriptionReport {
  appId: string
  openId: string
  userId: UserId
  templateId: string
  /** When the user tapped, in ms. */
  tappedAt: number
  /**
   * Identifies the tap, or the event, among those of this user. Reporting a tap again changes nothing; an
   * event is processed once (callbacks).
   */
  reportId: string
  reporter: 'client' | 'event'
}

/**
 * `outdated`: the user has refused messages of that template since that tap, and WeChat has no credit left from it.
 * `too_many`: the user already has as many of that template as anybody could use.
 */
export type GrantOutcome = 'accepted' | 'duplicate' | 'outdated' | 'too_many'

/**
 * The limit for one person and template: a reminder a day for a year. Subscriptions never run out, so this also
 * bounds those that are never spent (the purge deletes none of them, because WeChat keeps its side of them as
 * long) and what one refusal voids.
 */
export const MAX_UNSPENT_SUBSCRIPTIONS = 366

/**
 * How far the clocks of a phone and of WeChat may be apart. Two reports of one tap further apart than this
 * count twice.
 */
const PAIRING_MS = 10 * MINUTE_MS

/**
 * Counts an accepted subscription, once for each tap. A tap after a refusal of its template is also the consent to
 * receive messages again. Call it in inTransaction with isDuplicate as alsoRetry. Lock order: the person, permits,
 * counter.
 */
export async function acceptTap(
  trx: Knex.Transaction,
  report: SubscriptionReport,
  now: number,
): Promise<GrantOutcome> {
  const { appId } = report
  const name = nameOf(report)
  const stop = await lockPerson(trx, report, now)
  if (await store.isKnown(trx, appId, name)) return 'duplicate'
  if (await pairWithOther(trx, report, name, now)) return 'duplicate'
  const refusedAt = refusalOf(report.templateId, stop)
  if (refusedAt !== null && report.tappedAt <= refusedAt) return 'outdated'
  if (await store.hasBeenRefusedSince(trx, report, report.tappedAt, CODE.refusedByUser)) return 'outdated'

  if (refusedAt !== null) {
    const refusal = { errcode: CODE.refusedByUser, messageId: stop.messageId }
    await books.voidSubscriptions(trx, { ...report, until: refusedAt }, refusal, now)
    await liftRefusal(trx, report, now)
  }
  if (await hasTooMany(trx, report)) return 'too_many'
  await books.grantSubscription(trx, { ...report, name, isConfirmed: report.reporter === 'event' }, now)
  return 'accepted'
}

/** When the person refused messages of this template, or all: a tap on another template does not speak of that. */
function refusalOf(
  templateId: string,
  stop: { refusedAt: number | null; templateId: string | null },
): number | null {
  return stop.templateId === null || stop.templateId === templateId ? stop.refusedAt : null
}

/** The counter, which has all of a user's permits, tells cheaply that there is room. */
async function hasTooMany(trx: Knex.Transaction, report: SubscriptionReport): Promise<boolean> {
  const { appId, userId } = report
  const unspent = (await findCounts(trx, appId, [userId])).get(userId) ?? 0
  if (unspent < MAX_UNSPENT_SUBSCRIPTIONS) return false
  return (await store.countUnspent(trx, report)) >= MAX_UNSPENT_SUBSCRIPTIONS
}

/**
 * Ends the unspent subscriptions of one template that were tapped before the user turned it off: status 2,
 * counter down. Returns how many there were. Lock order: the person, permits, counter.
 */
export async function endSubscriptions(
  trx: Knex.Transaction,
  refusal: { appId: string; openId: string; userId: UserId; templateId: string; refusedAt: number },
  now: number,
): Promise<number> {
  await lockPerson(trx, refusal, now)
  return books.voidSubscriptions(
    trx,
    { ...refusal, until: refusal.refusedAt },
    { errcode: CODE.refusedByUser, messageId: null },
    now,
  )
}

/** If the other side's report of this tap came first, it stands for both. */
async function pairWithOther(
  trx: Knex.Transaction,
  report: SubscriptionReport,
  name: string,
  now: number,
): Promise<boolean> {
  const other = await store.findUnpaired(trx, report, PAIRING_MS)
  if (other === undefined) return false
  if (report.reporter === 'event') await books.confirmTap(trx, other, now)
  // From now on a repeated report by the client finds its name.
  else await books.renameTap(trx, other, name, now)
  return true
}

/** The value of form_id. Hashed, since open_id and report id together can be longer than the column. */
function nameOf({ reporter, openId, templateId, reportId }: SubscriptionReport): string {
  const hash = sha256([openId, templateId, reportId].join('\n')).toString('base64url')
  return `${store.PREFIX[reporter]}${hash}`
}
