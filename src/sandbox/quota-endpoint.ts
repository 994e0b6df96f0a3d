import type { Call } from './call.js'
import { plain, type Reply, refuse } from './replies.js'
import type { World } from './world.js'

export const QUOTA_PATH = '/cgi-bin/openapi/quota/get'

/** POST /cgi-bin/openapi/quota/get {cgi_path}: the calls of one API on this day. */
export function tellQuota(world: World, call: Call): Reply {
  if (call.method !== 'POST') return refuse(43002)
  const now = world.clock.now()
  const verified = world.tokens.verify(call.accessToken, now)
  if ('errcode' in verified) return refuse(verified.errcode)
  if (!call.hasBody) return refuse(44002)
  if (!call.body) return refuse(47001)
  const { cgi_path } = call.body
  const quota = typeof cgi_path === 'string' ? world.quotas.look(verified.appId, cgi_path, now) : undefined
  return quota ? plain({ errcode: 0, errmsg: 'ok', quota }) : refuse(76021)
}
