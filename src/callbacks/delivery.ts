import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { addDays, businessDate } from '../lib/business-date.js'
import { DAY_MS, MINUTE_MS } from '../lib/durations.js'
import { causeOf } from '../messages/cause.js'
import { traceIdOf } from '../messages/message.js'
import { endSubmitted } from '../messages/submitted-store.js'
import { addWebhookEvents } from '../messages/webhook-store.js'
import { addOutcomes, type OutcomeChange } from '../runs/outcomes.js'
import { lockForSettling, moveTotals } from '../runs/totals.js'
import { recordStop } from '../users/stop-store.js'
import { CODE } from '../wechat/codes.js'
import { done, type Effect, nextAttempt, payloadOf } from './effect.js'
import { findMessages, findMessagesToFollower, type PersonMessage, recordDelivery } from './message-store.js'
import type * as store from './store.js'

/** What became of a message, according to WeChat. */
export interface DeliveryReport {
  channel: 'subscribe' | 'official'
  msgid: string
  /** The template of a subscribe message; the event of a service account does not name it. */
  templateId: string | null
  /** When it was delivered or given up, in ms, to the second. */
  at: number
  /** As stored: `success`, or `failed: …` with WeChat's words. */
  status: string
}

/**
 * The receiver refuses messages of the service account. This takes the code of `follower switched off
 * receiving`.
 */
const USER_BLOCK = { status: 'failed: user block', errcode: CODE.receivingTurnedOff }
const MAX_STATUS = 64

/** How far WeChat's clock may be from ours. */
const SKEW_MS = 2 * MINUTE_MS
/** How late the event may come for a message that was settled without a msgid. */
const LATE_MS = 10 * MINUTE_MS
/**
 * An event can come before our own settle: by milliseconds, or by hours if the process that sent it has died.
 */
const WAIT_FOR_MESSAGE_MS = 10 * MINUTE_MS
const WAIT_FOR_SETTLE_MS = DAY_MS

type Told = Pick<store.EventRow, 'event' | 'msgid' | 'template_id' | 'event_time' | 'payload'>

export function readReport(event: Told): DeliveryReport | undefined {
  const { msgid, template_id: templateId, event_time } = event
  if (msgid === null) return undefined
  const { Status = '', ErrorCode, ErrorStatus = '' } = payloadOf(event)
  const common = { msgid, templateId, at: event_time * 1000 }
  if (event.event === 'TEMPLATESENDJOBFINISH') {
    return { ...common, channel: 'official', status: toStatus(Status.startsWith('success'), Status) }
  }
  const ok = ErrorCode === undefined ? ErrorStatus.startsWith('success') : ErrorCode === '0'
  const text = ErrorCode === undefined ? ErrorStatus : `${ErrorStatus} (${ErrorCode})`
  return { ...common, channel: 'subscribe', status: toStatus(ok, text) }
}

/** The texts come with and without blanks: `failed:user block`, `failed: system failed`. */
function toStatus(ok: boolean, text: string): string {
  if (ok) return 'success'
  return `failed: ${text.replace(/^failed\s*:?\s*/i, '')}`.slice(0, MAX_STATUS)
}

/** `open`: one of these may be it, but a process still holds that one. */
type Match = { kind: 'message'; message: PersonMessage } | { kind: 'open' } | { kind: 'none' }

/**
 * The message that a report is about, among those of the person: the one with its msgid. WeChat's answer with
 * the msgid may have been lost, or not be written down yet. Then it is the only message of that template, without
 * a msgid, that was under way at that time. While one such message is not settled, none is chosen; and where there are
 * several (a reminder and a submitted message, both in doubt), nobody knows which of them was delivered.
 */
export function matchMessage(report: DeliveryReport, messages: PersonMessage[]): Match {
  const byMsgid = messages.find(({ msgid }) => msgid === report.msgid)
  if (byMsgid) return { kind: 'message', message: byMsgid }
  const possible = messages.filter(
    (m) =>
      m.msgid === null &&
      m.delivery_status === null &&
      (report.templateId === null || m.template_id === report.templateId) &&
      report.at >= m.created_at - SKEW_MS &&
      report.at <= (m.settled_at ?? report.at) + LATE_MS,
  )
  const isOpen = (m: PersonMessage) =>
    m.state === 'sending' || ((m.state === 'retry' || m.state === 'queued') && m.maybe_sent === 1)
  if (possible.some(isOpen)) return { kind: 'open' }
  const [only, ...others] = possible.filter(({ state }) => state === 'unknown' || state === 'delivered')
  return only && others.length === 0 ? { kind: 'message', message: only } : { kind: 'none' }
}

/**
 * Writes on a message what became of it. Lock order: the run, the message, the person, then the outcomes, as when
 * answers are settled.
 */
export async function applyDelivery(
  trx: Knex.Transaction,
  { appId, timezone }: Pick<Account, 'appId' | 'timezone'>,
  event: store.EventRow,
  now: number,
): Promise<Effect> {
  const report = readReport(event)
  if (!report) return done('incomplete')
  const openId = event.open_id
  const person = { appId, openId }
  const messages =
    report.channel === 'official'
      ? await findMessagesToFollower(trx, person, daysBefore(report.at, timezone))
      : await findMessages(trx, { ...person, channel: report.channel })
  const match = matchMessage(report, messages)
  if (match.kind !== 'message') {
    const limit = match.kind === 'open' ? WAIT_FOR_SETTLE_MS : WAIT_FOR_MESSAGE_MS
    if (now - event.received_at >= limit) return done('unknown_message')
    return { kind: 'wait', outcome: 'unknown_message', until: nextAttempt(event, now) }
  }

  const { message } = match
  const about = { messageId: message.id, traceId: traceIdOf(message.id) }
  if (message.delivery_status !== null) return { kind: 'done', outcome: 'duplicate', ...about }
  const { msgid, status } = report
  const outcome = status === 'success' ? 'delivered' : 'failed'
  const written = { id: message.id, state: message.state, msgid, status, settlesAs: outcome } as const
  const settledOf = message.state === 'unknown' ? message.run_id : null
  const ended = await lockForSettling(trx, [settledOf], 'alone')
  if (!(await recordDelivery(trx, written, now))) {
    return { kind: 'wait', outcome: 'unknown_message', until: nextAttempt(event, now) }
  }
  if (message.state === 'unknown') await endSubmitted(trx, [{ id: message.id, state: outcome }], now)
  await addWebhookEvents(trx, 'reported', [message.id], now)
  if (settledOf !== null && ended.has(settledOf))
    await moveTotals(trx, settledOf, { from: 'unknown', to: outcome, messages: 1 }, now)
  const isBlock = report.channel === 'official' && status.startsWith(USER_BLOCK.status)
  if (isBlock) {
    const follower = { ...person, userId: message.user_id }
    await recordStop(
      trx,
      follower,
      { kind: 'block', errcode: USER_BLOCK.errcode, messageId: null },
      report.at,
    )
  }
  await addOutcomes(trx, outcomesOf(message, status, outcome), now)
  return { kind: 'done', outcome: isBlock ? 'blocked' : outcome, ...about }
}

/** The days of the reminders that a report of this time can be about: WeChat gives up within hours. */
function daysBefore(at: number, timezone: string): number[] {
  const today = businessDate(at, timezone)
  return [addDays(today, -1), today]
}

/** The event itself, and the message's move from unknown to what the event says. */
function outcomesOf(
  message: PersonMessage,
  status: string,
  outcome: 'delivered' | 'failed',
): OutcomeChange[] {
  const { id, run_id: runId, template_id: templateId, errcode, errmsg } = message
  const one = { runId, templateId, messages: 1, sample: { messageId: id, rid: null } }
  const reported: OutcomeChange = { ...one, outcome: 'reported', errcode: null, cause: status }
  if (message.state !== 'unknown') return [reported]
  const answer = { errcode, cause: causeOf({ errcode, errmsg }) }
  return [
    reported,
    { ...one, ...answer, outcome: 'unknown', messages: -1, sample: undefined },
    { ...one, ...answer, outcome },
  ]
}
