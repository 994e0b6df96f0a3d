/**
 * The books: `wx_save_form_id` (permits) and `wx_message_push_status` (counters), the two tables that DBAs and other
 * programs know. Every statement that writes to either is in this folder; `npm run check` refuses one elsewhere.
 *
 * At every commit a user's `count` is the number of the user's permits with status 0, so each verb moves both tables in
 * the caller's transaction:
 *
 *   grant      a new permit                            claim        permits for the reminders of a run
 *   reserve    the next permit of a message            give back    permits whose message never went out
 *   expire     permits that have run out               void         subscriptions that a refusal ended
 *   hand over  permits to the giver's new user         assign       rows without an account
 *   recount    a counter from its permits              purge        old spent and expired permits
 *   withdraw   the day of a reminder that failed       erase        what leads from permits to a person
 *   open       a counter for a user without a permit
 *   take       permits for messages that backends submit
 *
 * One lock order everywhere, so that transactions wait in order and do not deadlock: the run and its
 * ranges (src/runs), the person (`wx_user`), permits by ascending id, counters by ascending user, messages by ascending
 * id, and last of all the outcomes of the run (src/runs/outcomes.ts), after which
 * nothing more is locked but the count of a quota (src/messages/quota-count.ts). A statement
 * on several rows takes sorted keys, at most MAX_LIST of them. The one exception: a verdict that stops
 * a person locks the person after its message (and voids the permits that WeChat refused, skipping what is locked). Where that meets a transaction going the other way, the database ends
 * one of the two, and inTransaction tries it again. A claim writes its messages first and then takes their permits and
 * counters as they come: it skips what is locked and waits for nothing but the outcomes at its end, so no order binds it.
 * A sweep takes the permits of its users as they lie, and skips what is locked too; only their counters bind it.
 */
export { type Assigned, assignUnassigned } from './assign.js'
export { type Claimed, lockForClaim, spendForClaim } from './claim.js'
export { type ErasablePermit, erasePermits, lockErasable } from './erase.js'
export { type ExpiredPermits, expireAll, expireFree, type StaleOf } from './expire.js'
export { type GivenBack, giveBack, lockSpent, withdraw } from './give-back.js'
export {
  confirmTap,
  grantingPermits,
  grantPermits,
  grantSubscription,
  type NewPermit,
  renameTap,
} from './grant.js'
export { handOver } from './hand-over.js'
export { lastRemindedOn, setLastDateBack } from './last-date.js'
export { byId, NOBODY } from './locked-permits.js'
export { openAllCounters, openCounters } from './open.js'
export {
  FORM_ID_LIFETIME_MS,
  NEVER_EXPIRES,
  PAY_HOLD_MS,
  type PermitSource,
  VALIDITY_MARGIN_MS,
} from './permit.js'
export { purgePermits } from './purge.js'
export { recountCounter } from './recount.js'
export { lockNextPermits, type NextPermit, recordDead, reserve } from './reserve.js'
export { lockPermitsFor, PermitsMoved, type PermitWant, spendOnMessages } from './take.js'
export {
  type Condition,
  givenBy,
  hasLatePermit,
  isForReminders,
  isUsable,
  mayBeDue,
  type Need,
  needOf,
  OLDEST_FIRST,
  oldestUsablePermit,
  sentWith,
} from './usable.js'
export { restoreVoided, voidRefused, voidSubscriptions } from './void.js'
