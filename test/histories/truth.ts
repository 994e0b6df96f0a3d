import type { Knex } from 'knex'
import type { Account } from '../../src/account.js'
import { PAY_HOLD_MS, VALIDITY_MARGIN_MS } from '../../src/books/index.js'
import { selectRows } from '../../src/db/sql.js'
import type { Outcome } from '../../src/reminders/explain-verdict.js'

/** Where a user stands at this moment, from the tables as they are: nothing of it is worked out afterwards. */
export type Kind = Extract<
  Outcome,
  'no_permit' | 'no_valid_permit' | 'wrong_template' | 'no_open_id' | 'opted_out' | 'blocked' | 'signed_in'
>

/** By user, without those whose permit an open message of another day has. */
export type Snapshot = Map<number, Kind | 'due'>

export async function takeSnapshot(
  db: Knex,
  { appId, channel, templateId }: Account,
  userIds: number[],
  date: number,
  now: number,
): Promise<Snapshot> {
  const snapshot: Snapshot = new Map()
  for (const userId of userIds)
    if (!(await isHeldByAnotherDay(userId))) snapshot.set(userId, await standing(userId))
  return snapshot

  /** What the counter says then changes as soon as any process is there. */
  async function isHeldByAnotherDay(userId: number): Promise<boolean> {
    const open = await selectRows(
      db,
      `SELECT 1 FROM wx_push_message WHERE app_id = ? AND user_id = ? AND business_date <> ?
         AND state IN ('queued', 'sending', 'retry')`,
      [appId, userId, date],
    )
    return open.length > 0
  }

  async function standing(userId: number): Promise<Kind | 'due'> {
    const of = [appId, userId]
    const wish = await wishOf(of)
    if (channel === 'official' && wish === 'due') return (await isBound(of)) ? 'due' : 'no_open_id'
    if (channel === 'official') return wish
    // Its permit is spent already, and comes back if the message is given back.
    if ((await messageOutcome(db, appId, userId, date)) === 'being_sent') return wish
    const [counter] = await selectRows<{ count: number }>(
      db,
      'SELECT count FROM wx_message_push_status WHERE app_id = ? AND user_id = ?',
      of,
    )
    if (!counter || counter.count <= 0) return 'no_permit'
    if (wish !== 'due') return wish
    const valid = (
      await selectRows<{ source: string; template_id: string | null; created_at: number }>(
        db,
        'SELECT source, template_id, created_at FROM wx_save_form_id WHERE app_id = ? AND user_id = ? AND status = 0 AND expire > ?',
        [...of, now + VALIDITY_MARGIN_MS],
      )
    ).filter(({ source, created_at }) => source !== 'pay' || created_at + PAY_HOLD_MS <= now)
    if (valid.length === 0) return 'no_valid_permit'
    const fits = valid.some(({ source, template_id }) =>
      channel === 'subscribe' ? source === 'subscribe' && template_id === templateId : source !== 'subscribe',
    )
    return fits ? 'due' : 'wrong_template'
  }

  async function isBound(of: (string | number)[]): Promise<boolean> {
    const persons = await selectRows(db, 'SELECT 1 FROM wx_user WHERE app_id = ? AND user_id = ?', of)
    return persons.length > 0
  }

  async function wishOf(of: (string | number)[]): Promise<Kind | 'due'> {
    const stops = await selectRows<{ opted_out_at: number | null; blocked_at: number | null }>(
      db,
      'SELECT opted_out_at, blocked_at FROM wx_user WHERE app_id = ? AND user_id = ?',
      of,
    )
    if (stops.some(({ opted_out_at }) => opted_out_at !== null)) return 'opted_out'
    if (stops.some(({ blocked_at }) => blocked_at !== null)) return 'blocked'
    const signIns = await selectRows(
      db,
      'SELECT 1 FROM wx_sign_in WHERE app_id = ? AND user_id = ? AND day = ?',
      [...of, date],
    )
    return signIns.length > 0 ? 'signed_in' : 'due'
  }
}

const OF_STATE: Record<string, Outcome> = {
  delivered: 'reminded',
  failed: 'failed',
  unknown: 'unknown',
  queued: 'being_sent',
  sending: 'being_sent',
  retry: 'being_sent',
}

/** What became of the user's message of a day, if there is one. */
export async function messageOutcome(
  db: Knex,
  appId: string,
  userId: number,
  date: number,
): Promise<Outcome | undefined> {
  const [message] = await selectRows<{ state: string }>(
    db,
    'SELECT state FROM wx_push_message WHERE app_id = ? AND user_id = ? AND business_date = ?',
    [appId, userId, date],
  )
  return message && OF_STATE[message.state]
}

/** What ended a run that left a due user out. */
export const OF_RUN: Record<string, Outcome> = {
  halted: 'run_halted',
  paused: 'run_paused',
  limited: 'not_reached',
  done: 'not_reached',
  missed: 'run_missed',
  window_closed: 'window_closed',
  running: 'window_closed',
}

/** The first check that is not ok, by outcome. */
export const CHECK_OF: Record<Outcome, string | undefined> = {
  will_be_reminded: undefined,
  not_known: 'known',
  reminded: 'not_reminded',
  being_sent: 'not_reminded',
  failed: 'not_reminded',
  unknown: 'not_reminded',
  no_permit: 'has_permit',
  no_valid_permit: 'valid_permit',
  wrong_template: 'permit_fits',
  no_open_id: 'has_open_id',
  opted_out: 'not_stopped',
  blocked: 'not_stopped',
  signed_in: 'not_signed_in',
  run_halted: 'reached',
  run_paused: 'reached',
  run_missed: 'reached',
  window_closed: 'reached',
  not_reached: 'reached',
}
