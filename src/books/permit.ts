import { DAY_MS } from '../lib/durations.js'

/** Where a permit came from: a form submit, a payment, an accepted subscription. */
export type PermitSource = 'form' | 'pay' | 'subscribe'

/** A form_id may be used for 7 days (WeChat: template-message). Whether that means 7 x 24 h is not documented. */
export const FORM_ID_LIFETIME_MS = 7 * DAY_MS
/** A permit counts as valid only if it lives longer than this: a request may arrive that late. */
export const VALIDITY_MARGIN_MS = 60_000
/**
 * A prepay_id used within seconds of the payment is refused with 41028; waiting about 10 s helps (WeChat community).
 */
export const PAY_HOLD_MS = 10_000
/** 9999-12-31, for subscriptions: they do not expire, but the column must hold a time. */
export const NEVER_EXPIRES = 253_402_214_400_000
