import type { SendRequest } from '../../src/sandbox/send-request.js'
import { openIdOf } from './permit-sources.js'

/**
 * The requests of each message. No channel names the message to WeChat; but a user has one reminder at a time, so a
 * request belongs to the last one that was claimed before it.
 */
export function requestsOf<M extends { id: number; user_id: number; created_at: number }>(
  messages: M[],
  requests: SendRequest[],
): Map<M, SendRequest[]> {
  const byOpenId = new Map<string, M[]>()
  for (const message of [...messages].sort((a, b) => a.created_at - b.created_at || a.id - b.id)) {
    const openId = openIdOf(message.user_id)
    byOpenId.set(openId, [...(byOpenId.get(openId) ?? []), message])
  }
  const asked = new Map<M, SendRequest[]>(messages.map((message) => [message, []]))
  for (const request of requests) {
    const message = byOpenId.get(request.openId)?.findLast(({ created_at }) => created_at <= request.at)
    if (message) asked.get(message)?.push(request)
  }
  return asked
}
