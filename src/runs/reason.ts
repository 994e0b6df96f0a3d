import type { Value } from '../db/sql.js'
import type { Bilingual } from '../lib/bilingual.js'

/**
 * Why a run stands as it does, for whoever decides by it: its remedy is in reminders/remedies.ts.
 *
 *   configuration, token, unknown, quota   the class of WeChat's code that halted or paused it
 *   preflight                              its template is not the account's, or does not fit its texts
 *   refusals                               most of the latest users were refused
 *   outage, outage_to_the_end              WeChat took no messages; until the sending window closed
 *   operator                               somebody paused it
 *   limit, window, stopped                 --limit, SEND_UNTIL, a signal
 *   abandoned                              the processes that worked on it died
 *   no_process, late_firing                it was missed: nobody was there, or REMIND_CRON comes after SEND_UNTIL
 *   restored                               a dump was put back after it
 *   database                               the database failed
 */
export type Cause =
  | 'configuration'
  | 'token'
  | 'unknown'
  | 'quota'
  | 'preflight'
  | 'refusals'
  | 'outage'
  | 'outage_to_the_end'
  | 'operator'
  | 'limit'
  | 'window'
  | 'stopped'
  | 'abandoned'
  | 'no_process'
  | 'late_firing'
  | 'restored'
  | 'database'

/** The same in words. `errcode` is WeChat's, if one of its codes was the cause. */
export interface Reason extends Bilingual {
  /** null if somebody has written the reason by hand. */
  cause: Cause | null
  errcode?: number
}

/** A reason as the columns of wx_job_run have it. */
export interface ReasonRow {
  reason: string | null
  reason_zh: string | null
  cause: Cause | null
  errcode: number | null
}

export const REASON_COLUMNS = 'reason, reason_zh, cause, errcode'
/** Sets them, with the bindings of reasonValues. */
export const SET_REASON = 'reason = ?, reason_zh = ?, cause = ?, errcode = ?'

const MAX_LENGTH = 500

export function reasonValues(reason: Reason | null): Value[] {
  if (!reason) return [null, null, null, null]
  const { en, zh, cause, errcode = null } = reason
  return [en.slice(0, MAX_LENGTH), zh.slice(0, MAX_LENGTH), cause, errcode]
}

/** A reason that was written by hand may be in one language, and is then given in both. */
export function toReason({ reason, reason_zh, cause, errcode }: ReasonRow): Reason | null {
  const [en, zh] = [reason ?? reason_zh, reason_zh ?? reason]
  if (en === null || zh === null) return null
  return { en, zh, cause, ...(errcode === null ? {} : { errcode }) }
}
