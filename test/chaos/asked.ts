import type { SendRequest } from '../../src/sandbox/send-request.js'
import { openIdOf } from './permit-sources.js'
import { tokenOf } from './submitter.js'

export interface Asked {
  id: number
  user_id: number
  created_at: number
  /** Of a submitted message. */
  token: string | undefined
}

/**
 * The requests of each message. A submitted one is known by the token in its text. No channel names a reminder to WeChat;
 * but a user has one reminder at a time, so a request belongs to the last one that was claimed before it.
 */
export function requestsOf<M extends Asked>(messages: M[], requests: SendRequest[]): Map<M, SendRequest[]> {
  const byToken = new Map<string, M>()
  const byOpenId = new Map<string, M[]>()
  for (const message of [...messages].sort((a, b) => a.created_at - b.created_at || a.id - b.id)) {
    const openId = openIdOf(message.user_id)
    if (message.token !== undefined) byToken.set(message.token, message)
    else byOpenId.set(openId, [...(byOpenId.get(openId) ?? []), message])
  }
  const asked = new Map<M, SendRequest[]>(messages.map((message) => [message, []]))
  for (const request of requests) {
    const token = tokenOf(request.data)
    const message =
      token === undefined
        ? byOpenId.get(request.openId)?.findLast(({ created_at }) => created_at <= request.at)
        : byToken.get(token)
    if (message) asked.get(message)?.push(request)
  }
  return asked
}
