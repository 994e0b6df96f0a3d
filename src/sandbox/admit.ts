import type { SandboxAccount } from './accounts.js'
import type { Call } from './call.js'
import { type Reply, refuse } from './replies.js'
import type { World } from './world.js'

export interface Admitted {
  account: SandboxAccount
  body: NonNullable<Call['body']>
  now: number
}

export interface Refused {
  refusal: Reply
}

/** What every call with a token is checked for before it is read: the token, then this minute's and today's quota. */
export function admitToken(world: World, call: Call): Omit<Admitted, 'body'> | Refused {
  const now = world.clock.now()
  const verified = world.tokens.verify(call.accessToken, now)
  if ('errcode' in verified) return { refusal: refuse(verified.errcode) }
  const account = world.accounts.named(verified.appId)
  const spent = world.quotas.take(account.appId, call.path, now)
  return spent === undefined ? { account, now } : { refusal: refuse(spent) }
}

/** The same for a call that posts a JSON object. */
export function admitPost(world: World, call: Call): Admitted | Refused {
  if (call.method !== 'POST') return { refusal: refuse(43002) }
  const admitted = admitToken(world, call)
  if ('refusal' in admitted) return admitted
  if (!call.hasBody) return { refusal: refuse(44002) }
  if (!call.body) return { refusal: refuse(47001) }
  return { ...admitted, body: call.body }
}
