import type { SandboxControl } from '../sandbox/control.js'
import { type Backend, put } from './client.js'
import type { SampleUser } from './sample.js'

/** Who has followed the service account, and who has left it again. */
export interface Follows {
  bound: Set<number>
  left: number
}

export function emptyFollows(): Follows {
  return { bound: new Set(), left: 0 }
}

/** One follower in this many leaves the next time that others come. */
const LEAVES = 15

/**
 * Whoever comes for the first time follows the account, and the backend binds the open_id to its user: all that a
 * service account needs. WeChat's events tell of those who leave.
 */
export async function followAccount(
  backend: Backend,
  wechat: SandboxControl,
  { appId, visitors }: { appId: string; visitors: SampleUser[] },
  follows: Follows,
): Promise<void> {
  const leaving = visitors.filter(({ userId }) => userId % LEAVES === 0 && follows.bound.has(userId))
  for (const { openId } of leaving) wechat.unfollow({ appId, openId })
  follows.left += leaving.length
  for (const { userId, openId } of visitors) {
    if (follows.bound.has(userId)) continue
    wechat.follow({ appId, openId })
    await put(backend, '/v1/users', { open_id: openId, user_id: userId })
    follows.bound.add(userId)
  }
}
