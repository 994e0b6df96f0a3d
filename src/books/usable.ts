import type { Channel } from '../channel.js'
import { VALIDITY_MARGIN_MS } from '../permits/accept.js'

/** Where a permit came from: a form submit, a payment, an accepted subscription. */
export type PermitSource = 'form' | 'pay' | 'subscribe'

/** A prepay_id used within seconds after the payment is answered 41028; waiting about 10 s helps (WeChat community). */
export const PAY_HOLD_MS = 10_000

/** A condition of SQL with its bindings. */
export interface Condition {
  sql: string
  bindings: (string | number)[]
}

/**
 * On a row `f` of wx_save_form_id: a message of this channel and template may spend it now. Unspent, valid for a while
 * yet, and of the kind that the channel takes. Messages of a service account need no permit.
 */
export function isUsable(
  { channel, templateId }: { channel: Channel; templateId: string },
  now: number,
): Condition {
  const valid = 'f.status = 0 AND f.expire > ?'
  const validUntil = now + VALIDITY_MARGIN_MS
  switch (channel) {
    case 'form_id':
      return {
        sql: `${valid} AND (f.source = 'form' OR f.source = 'pay' AND f.created_at <= ?)`,
        bindings: [validUntil, now - PAY_HOLD_MS],
      }
    case 'subscribe':
      return {
        sql: `${valid} AND f.source = 'subscribe' AND f.template_id = ?`,
        bindings: [validUntil, templateId],
      }
    case 'official':
      return { sql: '1 = 0', bindings: [] }
  }
}
