import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { ServiceError } from '../errors.js'
import { toIsoDate } from '../lib/business-date.js'
import { subscriptionTemplates } from '../permits/known-templates.js'
import { userPages } from '../runs/user-pages.js'
import { type BridgeOf, type BridgeRow, countSides, PAGE } from './bridge-store.js'
import { comingDays } from './coming-days.js'

/** How an account stands between form_id and subscribe. Every number is of users, and exact. */
export interface Bridge {
  app_id: string
  /** When it was counted, ISO 8601. */
  as_of: string
  channel: 'form_id' | 'subscribe'
  /** The template that reminders use, or would use, on subscribe. */
  template_id: string
  /**
   * Those who have ever had a permit. `form_id` and `subscribe` are reachable there now, `both` is part of each:
   * form_id + subscribe - both + none = total.
   */
  users: {
    total: number
    form_id: number
    subscribe: number
    both: number
    none: number
    /** Of `none`, those who have a permit, and have opted out or are blocked. */
    stopped: number
  }
  /** The next run, today's or tomorrow's: null if none starts on that day. */
  run: {
    date: string
    at: string
    /** Whom it reaches on form_id, and whom on subscribe, if nothing changes until then. */
    form_id: number
    subscribe: number
    /** Of those whom it reaches on the present channel, whom it would not reach on the other one. */
    lost: number
    gained: number
  } | null
}

export interface BridgeOptions {
  /** Left out: that of the account. */
  templateId?: string | undefined
  onPage?(counters: number): void
}

/**
 * Counts who is reachable on which channel, and what a switch would mean for the next run. Reads every user of the
 * account once, page by page and without locks; writes nothing. Throws `invalid_request` for a service account, which
 * needs no permits, and where it is not clear which template is meant.
 */
export async function findBridge(
  db: Knex,
  account: Account,
  { templateId, onPage = () => {} }: BridgeOptions,
  now: number,
): Promise<Bridge> {
  const { appId, channel } = account
  if (channel === 'official')
    throw new ServiceError(
      'invalid_request',
      'Messages of a service account need no permits: bridge is for accounts on form_id or subscribe',
    )
  const { from, days } = comingDays(account, 1, now)
  const [day] = days
  const sides: BridgeOf = {
    appId,
    formTemplateId: channel === 'form_id' ? account.templateId : '',
    templateId: templateId ?? templateOf(account),
    run: { date: from, at: day?.at ?? now },
  }
  const sums = createSums()
  let pages = 0
  for await (const page of userPages(db, appId, PAGE)) {
    for (const row of await countSides(db, page, sides, now)) sums.add(row)
    onPage(++pages * PAGE)
  }
  const { users, reach } = sums
  const { only_form_id, only_subscribe, both } = reach
  const [lost, gained] =
    channel === 'form_id' ? [only_form_id, only_subscribe] : [only_subscribe, only_form_id]
  return {
    app_id: appId,
    as_of: new Date(now).toISOString(),
    channel,
    template_id: sides.templateId,
    users,
    run: day?.sends
      ? {
          date: toIsoDate(day.date),
          at: new Date(day.at).toISOString(),
          form_id: only_form_id + both,
          subscribe: only_subscribe + both,
          lost,
          gained,
        }
      : null,
  }
}

/** On subscribe the reminder's; on form_id the one that is collected, if there is one. */
function templateOf(account: Account): string {
  const [first, second] = subscriptionTemplates(account)
  if (first !== undefined && (account.channel === 'subscribe' || second === undefined)) return first
  throw new ServiceError(
    'invalid_request',
    first === undefined
      ? 'No template is collected yet: add it to TEMPLATES, or name it with --template'
      : `Several templates are collected: name the one of the reminder with --template (${subscriptionTemplates(account).join(', ')})`,
    { field: 'template' },
  )
}

function createSums() {
  const users = { total: 0, form_id: 0, subscribe: 0, both: 0, none: 0, stopped: 0 }
  const reach = { only_form_id: 0, only_subscribe: 0, both: 0 }
  return {
    users,
    reach,
    add(row: BridgeRow): void {
      const { users: count } = row
      const onForm = row.form_now === 1 && row.form_stopped === 0
      const onSubscribe = row.subscribe_now === 1 && row.subscribe_stopped === 0
      users.total += count
      if (onForm) users.form_id += count
      if (onSubscribe) users.subscribe += count
      if (onForm && onSubscribe) users.both += count
      if (!onForm && !onSubscribe) {
        users.none += count
        if (row.form_now === 1 || row.subscribe_now === 1) users.stopped += count
      }
      if (row.is_done === 1) return
      const byForm = row.form_then === 1 && row.form_stopped === 0
      const bySubscribe = row.subscribe_then === 1 && row.subscribe_stopped === 0
      if (byForm && bySubscribe) reach.both += count
      else if (byForm) reach.only_form_id += count
      else if (bySubscribe) reach.only_subscribe += count
    },
  }
}
