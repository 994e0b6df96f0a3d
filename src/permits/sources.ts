import type { Channel } from '../messages/message.js'

/** Where a permit came from: a form submit, a payment, an accepted subscription. */
export type PermitSource = 'form' | 'pay' | 'subscribe'

/** A prepay_id used within seconds after the payment is answered 41028; waiting about 10 s helps (WeChat community). */
export const PAY_HOLD_MS = 10_000

/**
 * The condition on a row `f` of wx_save_form_id that a message of this channel and template may spend it now. A service
 * account needs no permit for its messages, and has none.
 */
export function usableFor(
  { channel, templateId }: { channel: Channel; templateId: string },
  now: number,
): { sql: string; bindings: (string | number)[] } {
  switch (channel) {
    case 'form_id':
      return {
        sql: "(f.source = 'form' OR f.source = 'pay' AND f.created_at <= ?)",
        bindings: [now - PAY_HOLD_MS],
      }
    case 'subscribe':
      return { sql: "(f.source = 'subscribe' AND f.template_id = ?)", bindings: [templateId] }
    case 'official':
      return { sql: 'FALSE', bindings: [] }
  }
}
