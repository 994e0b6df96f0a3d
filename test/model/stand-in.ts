import type { HeldMessage } from '../../src/messages/message.js'
import type { SendResult } from '../../src/wechat/client.js'
import { ACCEPTED, CUT, REFUSED_CONNECTION, refusal } from '../helpers/answers.js'

/** What becomes of one request, as a test decides it. Where WeChat judges the message, its rule says what it answers. */
export const FATES = [
  'judged',
  'judged, answer lost',
  'judged, answered as busy',
  'lost on the way',
  'busy',
  'unreachable',
  'spoiled permit',
  'minute quota',
  'user',
  'opt-out',
  'unknown code',
  'configuration',
  'gateway',
  'day quota',
] as const
export type Fate = (typeof FATES)[number]

const CODES: Partial<Record<Fate, number>> = {
  busy: -1,
  'minute quota': 45011,
  user: 40003,
  'opt-out': 43101,
  'unknown code': 99_999,
  configuration: 40037,
  gateway: 404,
  'day quota': 45009,
}

/** WeChat's one rule that everything rests on: a form_id is good for one message, until it runs out. */
export class StandIn {
  readonly #used = new Set<string>()
  readonly #spoiled = new Set<string>()
  readonly delivered: { messageId: number; userId: number; formId: string }[] = []

  answer(message: HeldMessage, fate: Fate, isStale: boolean): SendResult {
    const { formId } = message
    const code = CODES[fate]
    if (code !== undefined) return refusal(code)
    switch (fate) {
      case 'unreachable':
        return REFUSED_CONNECTION
      case 'lost on the way':
        return CUT
      case 'spoiled permit':
        if (!this.#used.has(formId)) this.#spoiled.add(formId)
        return this.#judge(message, isStale)
      case 'judged, answer lost':
        this.#judge(message, isStale)
        return CUT
      case 'judged, answered as busy':
        this.#judge(message, isStale)
        return refusal(-1)
      default:
        return this.#judge(message, isStale)
    }
  }

  #judge({ id, userId, formId }: HeldMessage, isStale: boolean): SendResult {
    if (isStale || this.#spoiled.has(formId)) return refusal(41028)
    if (this.#used.has(formId)) return refusal(41029)
    this.#used.add(formId)
    this.delivered.push({ messageId: id, userId: Number(userId), formId })
    return ACCEPTED
  }
}
