import type { Bilingual } from '../lib/bilingual.js'
import { type Brake, describeAnswer, type Halt } from '../messages/brake.js'
import { policyOf } from '../messages/policy.js'
import type { SendResult } from '../wechat/client.js'
import { CODE } from '../wechat/codes.js'
import type { Holds } from './holds.js'

/**
 * Answers of this kind in a row pause everything, however many passes they took: a queue of one message counts as well.
 */
const IN_A_ROW = 5

export interface SubmittedBrake extends Brake {
  /** How many of the latest answers, in a row, said that WeChat is away. */
  readonly outages: number
}

/**
 * Stops the sending of submitted messages while nothing can go out: WeChat is away, the token is refused, the quota is
 * spent. `outagesBefore` are those of the pass before. It costs each message at most one attempt, and the queue goes on
 * by itself. A mistake in one message or template stops no other: the message is tried a few times and is then dead,
 * and its template may be held up (holds.ts). Refusals by users stop nothing: they say something about the list of the
 * backend that submitted them.
 */
export function createSubmittedBrake(holds: Holds, now: () => number, outagesBefore = 0): SubmittedBrake {
  let halt: Halt | undefined
  let accepted = false
  let answered = false
  let doubts = 0
  let outages = outagesBefore
  let lastOutage: Bilingual = { en: '', zh: '' }

  function pause(): void {
    halt = {
      state: 'paused',
      passing: true,
      reason: {
        en: `WeChat is not accepting messages right now: ${lastOutage.en}`,
        zh: `微信暂时不接收消息：${lastOutage.zh}`,
        cause: 'outage',
      },
    }
  }

  return {
    get halt() {
      return halt
    },
    get accepted() {
      return accepted
    },
    get answered() {
      return answered
    },
    get doubts() {
      return doubts
    },
    get outages() {
      return outages
    },
    heldUpFor: ({ templateId }, at) => holds.heldFor(templateId, at),
    drained() {
      if (!halt && doubts > (answered ? 1 : 0)) pause()
    },
    observe(result, verdict, { templateId }) {
      if (halt) return
      if (verdict.kind === 'delivered') accepted = true
      const { brake } = policyOf(result)
      if (brake === 'outage') {
        if (isOfOnePerson(result)) return
        lastOutage = describeAnswer(result)
        if (verdict.kind === 'unknown') doubts++
        if (++outages >= IN_A_ROW) pause()
        return
      }
      answered = true
      doubts = 0
      outages = 0
      if (brake === 'quota' || isToken(result)) {
        const cause = brake === 'quota' ? 'quota' : 'token'
        halt = { state: 'paused', passing: true, reason: { ...describeAnswer(result), cause } }
      } else if (brake === 'go_on') holds.judged(templateId)
      else holds.refused(templateId, now())
    },
  }
}

/** WeChat limits one person, not the account. */
function isOfOnePerson(result: SendResult): boolean {
  return result.kind === 'refused' && result.errcode === CODE.sameOpenidConcurrently
}

function isToken(result: SendResult): boolean {
  return result.kind === 'refused' && result.entry.isOfToken === true
}
