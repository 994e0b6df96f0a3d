import { randomBytes } from 'node:crypto'
import type { Call } from './call.js'
import { plain, type Reply, refuse } from './replies.js'
import { identify } from './token-endpoints.js'
import type { World } from './world.js'

export const LOGIN_PATH = '/sns/jscode2session'

/** GET /sns/jscode2session: parameters in the query, and no access token. */
export function login(world: World, call: Call): Reply {
  const { grant_type, appid, secret, js_code } = call.query
  if (grant_type !== 'authorization_code') return refuse(40002)
  const { account, refusal } = identify(world, appid, secret)
  if (!account) return refusal
  const result = world.logins.exchange(account.appId, js_code, world.clock.now())
  if ('errcode' in result) return refuse(result.errcode)
  const { openId, unionId } = result
  world.users.remember(account.appId, openId)
  return plain({
    session_key: randomBytes(16).toString('base64'),
    openid: openId,
    ...(unionId === undefined ? {} : { unionid: unionId }),
  })
}
