import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer } from './answer.js'
import type { WechatCall, WechatClient } from './client.js'
import { ambiguousAfter } from './failure.js'

/** WeChat answers a list in some 100 ms; a call beside the sending is not worth a longer wait. */
export const AUXILIARY_TIMEOUT_MS = 5_000

/** Calls beside the sending, such as a template list: useful, and never worth holding up a run. */
export interface Auxiliary {
  /** Resolves after `timeoutMs` at the latest, whatever WeChat, the token or the line does; never rejects. */
  ask(call: WechatCall, signal: AbortSignal): Promise<Answer>
  timeoutMs: number
}

export function createAuxiliary(
  wechat: Pick<WechatClient, 'call'>,
  timeoutMs: number = AUXILIARY_TIMEOUT_MS,
): Auxiliary {
  return {
    timeoutMs,
    async ask(call, signal) {
      const over = new AbortController()
      const until = AbortSignal.any([signal, over.signal])
      // The wait for a token hears no signal, hence the race.
      const answer = wechat.call(call, { signal: until }).catch((): Answer => ambiguousAfter('unreadable'))
      const tooLate = sleep(timeoutMs, undefined, { signal: until }).then(
        (): Answer => ambiguousAfter('headers_timeout'),
        (): Answer => ambiguousAfter('aborted'),
      )
      try {
        return await Promise.race([answer, tooLate])
      } finally {
        over.abort()
      }
    },
  }
}
