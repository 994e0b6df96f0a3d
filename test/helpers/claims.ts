import type { Account } from '../../src/account.js'
import { findOrAddCard } from '../../src/messages/card-store.js'
import type { HeldMessage } from '../../src/messages/message.js'
import { claimDue } from '../../src/reminders/claim.js'
import { findRun, openRun } from '../../src/runs/occurrences.js'
import { resetRanges } from '../../src/runs/ranges.js'
import type { JobRun } from '../../src/runs/run.js'
import { TODAY } from './constants.js'
import type { World } from './world.js'

/** Today's run, with its users to be read. One that is there already is found without an error of the database. */
export async function openTodaysRun({ db, account, clock }: World): Promise<JobRun> {
  const { appId } = account
  const occurrence = { job: 'remind', appId, slot: TODAY }
  const known = await findRun(db, occurrence)
  if (known) return known
  const { run, opened } = await openRun(
    db,
    occurrence,
    { triggeredBy: 'cron', state: 'running' },
    clock.now(),
  )
  if (opened) await db.transaction((trx) => resetRanges(trx, run.id, appId))
  return run
}

/** Opens today's run and claims all who are due, as a process would that dies before it sends anything. */
export async function claimAll(world: World, changes: Partial<Account> = {}): Promise<HeldMessage[]> {
  const { db, clock } = world
  const account = { ...world.account, ...changes }
  const run = await openTodaysRun({ ...world, account })
  const card = await findOrAddCard(db, account, clock.now())
  const messages: HeldMessage[] = []
  for (;;) {
    const claim = await claimDue(db, account, {
      runId: run.id,
      date: TODAY,
      card,
      // Longer than any test: what waits in a test is nobody's to renew.
      leaseMs: 600_000,
      now: clock.now(),
      examine: 500,
      claim: 500,
    })
    if (claim.kind !== 'claimed') return messages
    messages.push(...claim.messages)
  }
}

/** Claims all who are due when there is but one of them. */
export async function claimOne(world: World, changes: Partial<Account> = {}): Promise<HeldMessage> {
  const [message, ...others] = await claimAll(world, changes)
  if (!message || others.length > 0) throw new Error('One user was to be due, and there were others or none')
  return message
}
