import type { Source } from '../../src/messages/delivery.js'
import type { HeldMessage } from '../../src/messages/message.js'
import type { SendResult } from '../../src/wechat/client.js'

/** Hands out what was claimed before, in batches. */
export function sourceOf(messages: HeldMessage[], batch = 500): Source & { handedOut: number } {
  const left = [...messages]
  const source = {
    handedOut: 0,
    async next() {
      const next = left.splice(0, batch)
      source.handedOut += next.length
      return next.length > 0 ? next : undefined
    },
  }
  return source
}

/** Requests that stay under way until they are answered; later ones are then answered at once. */
export function heldRequests() {
  const waiting: ((result: SendResult) => void)[] = []
  let answer: SendResult | undefined
  return {
    send: (): Promise<SendResult> =>
      answer ? Promise.resolve(answer) : new Promise((resolve) => waiting.push(resolve)),
    get underWay() {
      return waiting.length
    },
    answerAll(result: SendResult) {
      answer = result
      for (const resolve of waiting.splice(0)) resolve(result)
    },
  }
}
