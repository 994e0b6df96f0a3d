import type { Bilingual } from '../lib/bilingual.js'
import type { Cause, Reason } from '../runs/reason.js'
import type { SendResult } from '../wechat/client.js'
import { CODE } from '../wechat/codes.js'
import type { HeldMessage } from './message.js'
import { type Policy, policyOf } from './policy.js'
import type { Verdict } from './verdict.js'

export interface Halt {
  state: 'halted' | 'paused'
  /** Cause and remedy, for the operator. */
  reason: Reason
  /** Temporary: the schedule continues the run by itself. */
  passing?: true
}

/** Stops a run before a mistake of ours, or an outage, reaches all users. */
export interface Brake {
  /** Takes note of an answer. A halt, once decided, stays. */
  observe(result: SendResult, verdict: Verdict, message: Pick<HeldMessage, 'templateId'>): void
  /** Called when no request is under way any more. */
  drained(): void
  readonly halt: Halt | undefined
  /** Whether WeChat has judged any message, rather than only being busy, silent or out of reach. */
  readonly answered: boolean
  /** Whether WeChat has accepted a message: template, page, data and the rest are right. */
  readonly accepted: boolean
  /**
   * Messages lost in doubt since the last one that WeChat judged. While there are any, no request starts until one
   * that is under way is judged. If none of those is judged, the run pauses, except that after a single doubt one
   * request may probe if WeChat has judged a message before. So an outage costs only the requests under way, or two
   * if there was only one.
   */
  readonly doubts: number
  /** For how long messages like this one alone are held up, in ms; 0 = not at all. */
  heldUpFor(message: Pick<HeldMessage, 'templateId'>, now: number): number
}

const IN_A_ROW = 5
/**
 * Refusals have risen if, of this many messages that ended last, more than half were refused, and more than twice the
 * normal share (capped at 95 %).
 */
const WINDOW = 100
const REFUSED_SHARE = 0.5
/**
 * So many form_ids in a row that WeChat calls wrong are no accident. Used ones (41029) do not count: an account that has
 * moved from another service may have any number of them.
 */
const WRONG_PERMITS_IN_A_ROW = 100

type Streak = Exclude<Policy['brake'], 'go_on' | 'quota'>

/**
 * Halts on a configuration code before anything was accepted, or on five bad answers of one kind in a row. A single
 * late one is recorded and passed over (40037 was reported to come and go within minutes).
 * Pauses on a spent quota, and while WeChat takes nothing: when five messages in a row have used up their attempts
 * (about half a minute), or when messages are in doubt for good and nothing under way could still be answered.
 * Also halts when most users suddenly refuse: this was seen as a platform fault in the middle of large runs (43101),
 * and open_ids of another app look like this (40003). `normalRefusals` is the account's usual share. And when a hundred
 * form_ids in a row are wrong (41028), as those of another app are, or of another user than they were uploaded for: each
 * user would lose all of them in one run.
 */
export function createBrake(normalRefusals = 0): Brake {
  let halt: Halt | undefined
  let accepted = false
  let answered = false
  let doubts = 0
  let lastOutage: Bilingual = { en: '', zh: '' }
  let streak: { kind: Streak; length: number } | undefined
  let wrongPermits = 0

  const refusals: boolean[] = []
  const mostRefusals = WINDOW * Math.min(0.95, Math.max(REFUSED_SHARE, 2 * normalRefusals))

  /** Counts one more message that has ended. Returns whether refusals have risen far above the normal. */
  function hasRisen(refused: boolean): boolean {
    refusals.push(refused)
    if (refusals.length < WINDOW) return false
    if (refusals.length > WINDOW) refusals.shift()
    return refusals.filter(Boolean).length > mostRefusals
  }

  function count(kind: Streak): number {
    streak = { kind, length: streak?.kind === kind ? streak.length + 1 : 1 }
    return streak.length
  }

  function pause(): void {
    halt = {
      state: 'paused',
      reason: {
        en: `WeChat is not accepting messages right now: ${lastOutage.en}. The service tries again every minute while the sending window is open.`,
        zh: `微信暂时不接收消息：${lastOutage.zh}。发送时段内服务每分钟自动重试。`,
        cause: 'outage',
      },
      passing: true,
    }
  }

  function observeOutage(verdict: Verdict): void {
    if (verdict.kind === 'unknown') doubts++
    const hasEnded = verdict.kind !== 'retry' || verdict.exhausted === true
    if (hasEnded && count('outage') >= IN_A_ROW) pause()
  }

  return {
    get halt() {
      return halt
    },
    get answered() {
      return answered
    },
    get accepted() {
      return accepted
    },
    get doubts() {
      return doubts
    },
    // What is wrong with one reminder is wrong with all of them: they say the same.
    heldUpFor: () => 0,
    drained() {
      if (!halt && doubts > (answered ? 1 : 0)) pause()
    },
    observe(result, verdict) {
      if (halt) return
      if (verdict.kind === 'delivered') accepted = true
      const answer = describeAnswer(result)
      const { brake, blame } = policyOf(result)
      if (brake !== 'outage') {
        answered = true
        doubts = 0
      }
      switch (brake) {
        case 'outage':
          lastOutage = answer
          return observeOutage(verdict)
        case 'quota':
          halt = { state: 'paused', reason: because(answer, 'quota') }
          return
        case 'mistake':
          if (count('mistake') >= IN_A_ROW || !accepted)
            halt = { state: 'halted', reason: because(answer, causeOf(result)) }
          return
        case 'strange':
          if (count('strange') >= IN_A_ROW)
            halt = {
              state: 'halted',
              reason: because(
                answer,
                'unknown',
                (en) => `${en} (${IN_A_ROW} times in a row)`,
                (zh) => `${zh}（连续 ${IN_A_ROW} 次）`,
              ),
            }
          return
        case 'go_on':
          streak = undefined
          wrongPermits = answer.errcode === CODE.formIdInvalid ? wrongPermits + 1 : 0
          if (wrongPermits >= WRONG_PERMITS_IN_A_ROW)
            halt = refused(
              answer,
              `The last ${wrongPermits} form_ids`,
              `最近 ${wrongPermits} 个 form_id 全部`,
            )
          else if (hasRisen(blame === 'user'))
            halt = refused(answer, 'Most of the latest users', '最近的用户大多')
      }
    },
  }
}

interface Answer extends Bilingual {
  errcode?: number
}

/** An answer in words, with its code if it has one. */
export function describeAnswer(result: SendResult): Answer {
  if (result.kind === 'accepted') return { en: 'accepted', zh: '成功' }
  if (result.kind !== 'refused')
    return { en: `${result.kind}: ${result.reason}`, zh: `${NO_ANSWER[result.kind]}（${result.reason}）` }
  const { errcode, entry } = result
  return {
    en: `${errcode} ${entry.name}: ${entry.meaning}`,
    zh: `${errcode} ${entry.name}：${entry.meaning_zh}`,
    errcode,
  }
}

const NO_ANSWER = { unreachable: '无法连接', ambiguous: '没有得到明确应答' }

function because(
  { en, zh, errcode }: Answer,
  cause: Cause,
  inEnglish = (text: string) => text,
  inChinese = (text: string) => text,
): Reason {
  return { en: inEnglish(en), zh: inChinese(zh), cause, ...(errcode === undefined ? {} : { errcode }) }
}

/** Something is wrong for all of them, whom the answer blames one by one. */
function refused(answer: Answer, who: string, whoInChinese: string): Halt {
  const reason = because(
    answer,
    'refusals',
    (en) => `${who} were refused: ${en} Find out why, then run remind again.`,
    (zh) => `${whoInChinese}被拒：${zh}。查明原因后再执行 remind。`,
  )
  return { state: 'halted', reason }
}

/** A mistake of ours: with the token, or with anything else that we are to set right. */
function causeOf(result: SendResult): Cause {
  return result.kind === 'refused' && result.entry.class === 'token' ? 'token' : 'configuration'
}
