import { PAY_HOLD_MS, VALIDITY_MARGIN_MS } from '../books/index.js'
import { needsPermit } from '../channel.js'
import type { Facts, PermitFact, SentWith, StopFact } from './explain-facts.js'

/** Where a user stood, or will stand, at one moment, and what says so. */
export interface Standing {
  kind:
    | 'due'
    | 'no_permit'
    | 'no_valid_permit'
    | 'wrong_template'
    | 'no_open_id'
    | 'opted_out'
    | 'blocked'
    | 'signed_in'
  at: number
  /** Unspent then, valid or not. */
  unspent: PermitFact[]
  /** Of these, valid then, of whatever kind. */
  valid: PermitFact[]
  /** Of these, the one that a reminder would spend. */
  permit: PermitFact | undefined
  /** The counter's count then. */
  count: number
  stop: StopFact | undefined
  hasSignedIn: boolean
  /** Whether an open_id of the user was known: all that a service account needs. */
  hasOpenId: boolean
}

/**
 * Where the user stands at a moment. The order of the reasons is that of the daily run's counts (store.ts): the
 * counter, then stops, then the sign-in, then which permits there are; on a service account stops, the sign-in, the
 * open_id. `unspent` are the user's permits that are unspent then, in the order of spending.
 */
export function standingOf(facts: Facts, at: number, unspent: PermitFact[], count: number): Standing {
  const valid = unspent.filter((permit) => isValidAt(permit, at))
  const permit = valid.find((each) => fits(each, facts.sentWith))
  const stops = facts.stops.filter(
    (stop) => stop.began_at <= at && (stop.ended_at ?? Number.POSITIVE_INFINITY) > at,
  )
  // A wish counts before a block, as in the counts of a run.
  const stop = stops.find(({ kind }) => kind === 'opt_out') ?? stops[0]
  const hasSignedIn = facts.signIn !== undefined && facts.signIn.at <= at
  const hasOpenId = facts.boundSince !== undefined && facts.boundSince <= at
  const standing = { at, unspent, valid, permit, count, stop, hasSignedIn, hasOpenId }
  return {
    kind: needsPermit(facts.sentWith.channel) ? kindOf(standing) : kindOfFollower(standing),
    ...standing,
  }
}

function kindOfFollower({
  stop,
  hasSignedIn,
  hasOpenId,
}: Pick<Standing, 'stop' | 'hasSignedIn' | 'hasOpenId'>): Standing['kind'] {
  if (stop) return stop.kind === 'block' ? 'blocked' : 'opted_out'
  if (hasSignedIn) return 'signed_in'
  return hasOpenId ? 'due' : 'no_open_id'
}

function kindOf({
  count,
  valid,
  permit,
  stop,
  hasSignedIn,
}: Pick<Standing, 'count' | 'valid' | 'permit' | 'stop' | 'hasSignedIn'>): Standing['kind'] {
  if (count <= 0) return 'no_permit'
  if (stop) return stop.kind === 'block' ? 'blocked' : 'opted_out'
  if (hasSignedIn) return 'signed_in'
  if (valid.length === 0) return 'no_valid_permit'
  return permit ? 'due' : 'wrong_template'
}

/** Where the user stood at a moment of the past, from what is on record now. */
export function standingAt(facts: Facts, at: number, { withUndated = true } = {}): Standing {
  const { counter } = facts
  const unspent = facts.permits.filter(
    (permit) => isUnspentAt(permit, at) && (withUndated || permit.created_at > 0),
  )
  // A counter that nobody has touched since was the same then, right or wrong.
  const count = withUndated && counter && counter.updated_at <= at ? counter.count : unspent.length
  return standingOf(facts, at, unspent, counter ? count : 0)
}

/** Where the user stands now, or at a coming moment if nothing happens until then. */
export function standingNow(facts: Facts, at: number): Standing {
  const unspent = facts.permits.filter(({ status }) => status === 0)
  return standingOf(facts, at, unspent, facts.counter?.count ?? 0)
}

/** Whether the channel and the template take such a permit: as isUsable of the books says it in SQL. */
export function fits({ source, template_id }: PermitFact, { channel, templateId }: SentWith): boolean {
  if (channel === 'official') return false
  if (channel === 'form_id') return source === 'form' || source === 'pay'
  return source === 'subscribe' && template_id === templateId
}

function isValidAt(permit: PermitFact, at: number): boolean {
  return permit.expire > at + VALIDITY_MARGIN_MS && at >= heldUntil(permit)
}

/** Until when a permit is held back, in ms: a payment is for a moment. */
export function heldUntil({ source, created_at }: PermitFact): number {
  return source === 'pay' ? created_at + PAY_HOLD_MS : 0
}

function isUnspentAt(permit: PermitFact, at: number): boolean {
  if (permit.created_at > at) return false
  if (permit.status === 0) return true
  // Spent by a message that is gone, or by hand, or run out, or void: the row was last touched then.
  const endedAt = permit.status === 1 ? (permit.spent_at ?? permit.updated_at) : permit.updated_at
  return at < endedAt
}

/** The moments within an interval, its beginning included, at which the user's standing can have changed. */
export function momentsOfChange(facts: Facts, from: number, to: number): number[] {
  const changes = [
    ...(facts.signIn ? [facts.signIn.at] : []),
    ...(facts.boundSince === undefined ? [] : [facts.boundSince]),
    ...facts.stops.flatMap(({ began_at, ended_at }) => [began_at, ended_at ?? began_at]),
    ...facts.permits.flatMap((permit) => [
      permit.created_at,
      heldUntil(permit),
      permit.expire - VALIDITY_MARGIN_MS,
      permit.spent_at ?? permit.updated_at,
    ]),
  ].filter((at) => at > from && at <= to)
  return [...new Set([from, ...changes])].sort((a, b) => a - b)
}
