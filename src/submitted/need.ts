import type { Channel } from '../channel.js'

/** Whether a message of this channel spends a permit of its user. A service account needs none, only an open_id. */
export function needsPermit(channel: Channel): boolean {
  return channel !== 'official'
}
