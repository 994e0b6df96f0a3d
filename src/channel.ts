/**
 * How a message goes out: as a template message on a form_id or prepay_id (withdrawn by WeChat in 2020), as a subscribe
 * message, or as a template message of a service account, which needs no permit.
 */
export type Channel = 'form_id' | 'subscribe' | 'official'

/** Whether a message spends a permit of its user. One of a service account needs no more than an open_id to go to. */
export function needsPermit(channel: Channel): boolean {
  return channel !== 'official'
}
