import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { takesSubscriptionsOf } from '../permits/known-templates.js'
import { acceptTap, endSubscriptions } from '../permits/subscriptions.js'
import { recordOptOut } from '../users/stop-store.js'
import { userIdOf } from '../users/user-ids.js'
import { CODE } from '../wechat/codes.js'
import { done, type Effect, nextAttempt, payloadOf } from './effect.js'
import * as store from './store.js'

/**
 * The answer to a popup. An accept of a template that the account uses is a permit, shared with the client's own report of the same tap. A reject
 * answers that popup only: it ends nothing that was accepted before.
 */
export async function applyPopup(
  trx: Knex.Transaction,
  account: Account,
  event: store.EventRow,
  now: number,
): Promise<Effect> {
  const { appId } = account
  const { open_id: openId, template_id: templateId } = event
  const status = payloadOf(event).SubscribeStatusString ?? ''
  if (templateId === null) return done('incomplete')
  // acceptWithAudio and acceptWithAlert are consent too; ban and filter are neither accepted nor refused.
  if (!status.startsWith('accept')) return done(status === 'reject' ? 'refused' : 'ignored')
  if (!takesSubscriptionsOf(account, templateId)) return done('unknown_template')
  const userId = await userIdOf(trx, account, openId, now)
  if (userId === undefined) return waitForUser(event, now)
  // A still later accept has lifted that refusal, and the record of it with it.
  if (await store.hasRefusedSince(trx, appId, event, templateId)) return done('outdated')
  const outcome = await acceptTap(
    trx,
    {
      appId,
      openId,
      userId,
      templateId,
      tappedAt: event.event_time * 1000,
      reportId: event.event_key,
      reporter: 'event',
    },
    now,
  )
  return done(outcome === 'accepted' ? 'granted' : outcome)
}

/**
 * The user turned a template off in the settings: subscriptions accepted until then are void. If it is the
 * reminder's template, the user is no longer reminded, unless there is a later accept. Subscriptions to a template that
 * the account no longer uses end as well.
 */
export async function applyChange(
  trx: Knex.Transaction,
  account: Account,
  event: store.EventRow,
  now: number,
): Promise<Effect> {
  const { appId } = account
  const { open_id: openId, template_id: templateId } = event
  if (templateId === null) return done('incomplete')
  if (payloadOf(event).SubscribeStatusString !== 'reject') return done('ignored')
  const userId = await userIdOf(trx, account, openId, now)
  if (userId === undefined) return waitForUser(event, now)
  const refusedAt = event.event_time * 1000
  const person = { appId, openId, userId, templateId }
  const ended = await endSubscriptions(trx, { ...person, refusedAt }, now)
  if (ended === 0 && !takesSubscriptionsOf(account, templateId)) return done('unknown_template')
  if (account.channel !== 'subscribe' || templateId !== account.templateId) return done('voided')
  if (await store.hasAcceptedSince(trx, person, refusedAt)) return done('voided')
  await recordOptOut(trx, { ...person, errcode: CODE.refusedByUser, at: refusedAt }, now)
  return done('opted_out')
}

function waitForUser(event: store.EventRow, now: number): Effect {
  return { kind: 'wait', outcome: 'no_user', until: nextAttempt(event, now) }
}
