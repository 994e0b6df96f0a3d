import type { Knex } from 'knex'
import { isUsable, PAY_HOLD_MS } from '../books/index.js'
import type { Channel } from '../channel.js'
import { addDays, businessDate } from '../lib/business-date.js'
import { firingsOn, parseCron } from '../lib/cron.js'
import type { UserId } from '../lib/user-id.js'
import {
  askFor,
  type Balance,
  balanceOf,
  ENOUGH_DAYS,
  type Holdings,
  type TemplateBalance,
} from './balance.js'
import * as store from './balance-store.js'
import { subscriptionTemplates } from './known-templates.js'

/** The settings of an account that decide how far permits reach. */
export interface ReminderAccount {
  appId: string
  channel: Channel
  templateId: string
  templates: string[]
  timezone: string
  remindCron: string
}

/** More are not counted one by one: no page shows such a number. */
const MAX_PERMITS = 1_000
/** A cron of one day a week fires on ENOUGH_DAYS days in this time. */
const HORIZON_DAYS = ENOUGH_DAYS * 7 + 1

/**
 * How many permits a user has, how far they reach, and whether a page should ask for another one; and the same of each
 * template that the account collects subscriptions to. Changes nothing.
 */
export async function findBalance(
  db: Knex,
  account: ReminderAccount,
  userId: UserId,
  now: number,
): Promise<Balance & { templates: TemplateBalance[] }> {
  const { appId } = account
  // A payment that is still held back counts as a permit.
  const usable = isUsable(account, now + PAY_HOLD_MS)
  const expires = await store.findExpires(db, appId, userId, usable, MAX_PERMITS)
  const today = businessDate(now, account.timezone)
  const isTodayDone = await store.isDayDone(db, appId, userId, today)
  const reminders = nextReminders(account, isTodayDone ? addDays(today, 1) : today, expires.length + 1, now)
  const stops = await store.findStops(db, appId, userId)
  const stop = stopOf(stops, account.templateId)
  const ofReminder = balanceOf(account.channel, { expires, reminders, stop }, now)
  const subscriptions = await store.countSubscriptions(db, appId, userId, now)
  const templates = subscriptionTemplates(account).map((templateId): TemplateBalance => {
    const permits = subscriptions.get(templateId) ?? 0
    const isOfReminder = account.channel === 'subscribe' && templateId === account.templateId
    const { ask, reason } = isOfReminder ? ofReminder : askFor(permits, stopOf(stops, templateId))
    return { templateId, permits, ask, reason }
  })
  return { ...ofReminder, templates }
}

/** The next days on which the daily run starts, up to the horizon; later ones do not matter. */
function nextReminders(
  account: ReminderAccount,
  first: number,
  limit: number,
  now: number,
): Holdings['reminders'] {
  const cron = parseCron(account.remindCron)
  const reminders: Holdings['reminders'] = []
  let date = first
  for (let day = 0; day < HORIZON_DAYS && reminders.length < limit; day++, date = addDays(date, 1)) {
    // If today's run has begun, it may have passed the user already.
    const at = firingsOn(cron, date, account.timezone).find((firing) => firing > now)
    if (at !== undefined) reminders.push({ date, at })
  }
  return reminders
}

function stopOf(rows: store.StopRow[], templateId: string): Holdings['stop'] {
  if (rows.some(({ blocked_at }) => blocked_at !== null)) return 'blocked'
  const holding = rows.filter((row) => row.stop_template_id === null || row.stop_template_id === templateId)
  if (holding.length === 0) return undefined
  return holding.every(({ stop_errcode }) => stop_errcode !== null) ? 'refused' : 'opted_out'
}
