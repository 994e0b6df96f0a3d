import type { Account } from '../account.js'
import type { Brake } from '../messages/brake.js'
import type { DeliverDeps, Source } from '../messages/delivery.js'
import type { HeldMessage } from '../messages/message.js'
import { findAllowance } from '../messages/quota.js'
import { QuotaMoved } from '../messages/quota-count.js'
import { observeTakeover, type Takeover, takeOver } from '../messages/recovery.js'
import { addTallies, emptyTally, type Tally } from '../messages/tally.js'
import { findWork } from './due-store.js'
import type { SpentQuota } from './spent-quota.js'
import { tidyUp } from './tidy-up.js'

/** Fewer than a run claims: they are the answer to a call, and others may be due before the last of many. */
const BATCH = 200
/** With a slow SEND_RATE, no more than goes out in this time. */
const BATCH_SECONDS = 5
/** How often it looks for room in the quota while other processes are quicker. The next second looks again. */
const MAX_LOOKS = 5

export interface SubmittedSource extends Source {
  /** Messages that were settled at once, without being sent. */
  readonly settledAtOnce: Tally
}

/**
 * The submitted messages that are due, and those that a dead process left: they are taken over as retries are, for both
 * wait in the same table. They leave of WeChat's daily quota what today's reminders need. With `isProbe`, one of them
 * goes alone, and the others only once WeChat has judged it.
 */
export function createSubmittedSource(
  deps: DeliverDeps,
  account: Account,
  brake: Brake,
  { isProbe, spentQuota, signal }: { isProbe: boolean; spentQuota: SpentQuota; signal: AbortSignal },
): SubmittedSource {
  const { db, now, random, leaseMs, observe } = deps
  const perSecond = deps.rate.perSecond ?? Number.POSITIVE_INFINITY
  const batch = Math.max(1, Math.min(BATCH, Math.ceil(perSecond * BATCH_SECONDS)))
  let probe: 'to_send' | 'sent' | 'passed' = isProbe ? 'to_send' : 'passed'
  let settledAtOnce = emptyTally()

  async function take(limit: number): Promise<HeldMessage[] | undefined> {
    const work = await findWork(db, account.appId, now())
    settledAtOnce = addTallies(settledAtOnce, await tidyUp(deps, account, work))
    const takeover = await takeWithinQuota(limit)
    if (!takeover) return undefined
    observeTakeover(observe, takeover)
    settledAtOnce = addTallies(settledAtOnce, takeover.tally)
    return takeover.taken > 0 ? takeover.messages : undefined
  }

  async function takeWithinQuota(limit: number): Promise<Takeover | undefined> {
    for (let looks = 0; looks < MAX_LOOKS; looks++) {
      const quota = await findAllowance(db, account, now())
      if (quota?.left === 0) {
        if (await spentQuota.mayGoOn(signal)) continue
        return undefined
      }
      const most = Math.min(limit, quota?.left ?? limit)
      try {
        return await takeOver(db, account, {
          kind: 'api',
          limit: most,
          leaseMs,
          now: now(),
          quota,
          random: random(),
        })
      } catch (error) {
        if (!(error instanceof QuotaMoved)) throw error
      }
    }
    return undefined
  }

  return {
    get settledAtOnce() {
      return settledAtOnce
    },
    async next(idle) {
      if (probe === 'sent') {
        if (!(await idle()) || !brake.answered) return undefined
        probe = 'passed'
      }
      if (probe === 'passed') return take(batch)
      const messages = await take(1)
      if (messages && messages.length > 0) probe = 'sent'
      return messages
    },
  }
}
