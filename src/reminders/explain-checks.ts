import { needsPermit } from '../channel.js'
import type { Bilingual } from '../lib/bilingual.js'
import {
  sayCount,
  sayKnown,
  sayMessage,
  sayOpenId,
  sayPermit,
  sayRun,
  saySignIn,
  sayStop,
  sayValid,
} from './explain-check-texts.js'
import type { Outcome } from './explain-verdict.js'
import { say, type Told } from './explain-words.js'

/** What decides whether a user is reminded, in the order in which it decides. */
export const CHECKS = [
  'known',
  'not_reminded',
  'has_permit',
  'not_stopped',
  'not_signed_in',
  'valid_permit',
  'permit_fits',
  'has_open_id',
  'reached',
] as const

export interface Check {
  name: (typeof CHECKS)[number]
  ok: boolean
  detail: string
  detail_zh: string
}

/** The check that each outcome is about; of a user who is or will be reminded by the run, none is not ok. */
const FAILED: Record<Outcome, Check['name'] | undefined> = {
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

/** What a reminder that was given back had, whatever the tables say at that moment. */
const IN_HAND = say('the reminder had one in hand', '提醒已占用一个凭证')

/** What comes before the check that decided was in order, or it would have decided. */
function isBefore(name: Check['name'], failed: Check['name'] | undefined): boolean {
  return failed !== undefined && CHECKS.indexOf(name) < CHECKS.indexOf(failed)
}

/**
 * The checks up to the one that decided, and those after it that are known; of permits only where the channel needs
 * them. Nothing is said of permits, stops and sign-in where no moment counts: of a day with a message, or with nothing
 * on record.
 */
export function checksOf(told: Told): Check[] {
  const { verdict } = told
  const failed = FAILED[verdict.outcome]
  const check = (name: Check['name'], ok: boolean, { en, zh }: Bilingual): Check => ({
    name,
    ok: isBefore(name, failed) || (ok && name !== failed),
    detail: en,
    detail_zh: zh,
  })
  const known = check('known', true, sayKnown(told))
  if (failed === 'known') return [known]
  const reminded = check('not_reminded', true, sayMessage(told))
  const { standing } = verdict
  if (failed === 'not_reminded' || !standing) return [known, reminded]
  const inHand = verdict.because === 'given_back' ? IN_HAND : undefined
  const wishes = [
    check('not_stopped', standing.stop === undefined, sayStop(told, standing)),
    check('not_signed_in', !standing.hasSignedIn, saySignIn(told, standing)),
  ]
  const reached = check('reached', failed === undefined, sayRun(told))
  if (!needsPermit(told.facts.sentWith.channel)) {
    const hasOpenId = check('has_open_id', standing.hasOpenId, sayOpenId(told))
    return [known, reminded, ...wishes, hasOpenId, reached]
  }
  return [
    known,
    reminded,
    check('has_permit', standing.count > 0, inHand ?? sayCount(told, standing)),
    ...wishes,
    check('valid_permit', standing.valid.length > 0, inHand ?? sayValid(told, standing)),
    check('permit_fits', standing.permit !== undefined, inHand ?? sayPermit(told, standing)),
    reached,
  ]
}
