/**
 * How a message goes out: as a template message on a form_id or prepay_id (withdrawn by WeChat in 2020), as a subscribe
 * message, or as a template message of a service account, which needs no permit.
 */
export type Channel = 'form_id' | 'subscribe' | 'official'
