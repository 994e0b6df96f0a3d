import { admitPost } from './admit.js'
import type { Call } from './call.js'
import { done, type Reply, refuse } from './replies.js'
import { identify } from './token-endpoints.js'
import type { World } from './world.js'

export const QUOTA_PATH = '/cgi-bin/openapi/quota/get'
export const CLEAR_PATH = '/cgi-bin/openapi/quota/clear'
export const CLEAR_ALL_PATH = '/cgi-bin/clear_quota'
export const CLEAR_BY_SECRET_PATH = '/cgi-bin/clear_quota/v2'

/** Today's quota of one path, and its limit per minute if it has one. */
export function readQuota(world: World, call: Call): Reply {
  const admitted = admitPost(world, call)
  if ('refusal' in admitted) return admitted.refusal
  const { account, body, now } = admitted
  const path = body.cgi_path
  if (typeof path !== 'string' || !path.startsWith('/')) return refuse(76003)
  const quota = world.quotas.today(account.appId, path, now)
  if (!quota) return refuse(unreadable(path))
  const perMinute = world.quotas.perMinute(path)
  const rate_limit =
    perMinute === undefined ? {} : { rate_limit: { call_count: perMinute, refresh_second: 60 } }
  return done({ quota, ...rate_limit })
}

/** One path's calls of today. */
export function clearQuota(world: World, call: Call): Reply {
  const admitted = admitPost(world, call)
  if ('refusal' in admitted) return admitted.refusal
  const { account, body, now } = admitted
  const path = body.cgi_path
  if (typeof path !== 'string' || !path.startsWith('/')) return refuse(76003)
  if (!world.quotas.today(account.appId, path, now)) return refuse(unreadable(path))
  return world.quotas.clearToday(account.appId, path, now) ? done() : refuse(48006)
}

/** All paths' calls of today, with a token. */
export function clearAllQuotas(world: World, call: Call): Reply {
  const admitted = admitPost(world, call)
  if ('refusal' in admitted) return admitted.refusal
  const { account, body, now } = admitted
  if (body.appid !== account.appId) return refuse(40013)
  return world.quotas.clearToday(account.appId, undefined, now) ? done() : refuse(48006)
}

/** The same with the secret, for an account that cannot get a token because that quota is used up. */
export function clearAllQuotasBySecret(world: World, call: Call): Reply {
  if (call.method !== 'POST') return refuse(43002)
  // Its page has the parameters in the body; callers that put them into the query are answered as well.
  const { appid, appsecret } = call.body ?? call.query
  const { account, refusal } = identify(world, appid, appsecret)
  if (!account) return refusal
  return world.quotas.clearToday(account.appId, undefined, world.clock.now()) ? done() : refuse(48006)
}

/** Logins have a quota that cannot be read (查询API调用额度); a path without a quota is none that the sandbox has. */
function unreadable(path: string): 76021 | 76022 {
  return path.startsWith('/sns/') ? 76022 : 76021
}
