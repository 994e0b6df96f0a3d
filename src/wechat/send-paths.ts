import type { Channel } from '../channel.js'

/** Where the messages of each channel go, and whose quota they take from. */
export const SEND_PATHS: Readonly<Record<Channel, string>> = {
  form_id: '/cgi-bin/message/wxopen/template/send',
  subscribe: '/cgi-bin/message/subscribe/send',
  official: '/cgi-bin/message/template/send',
}
