import type { SandboxAccount } from './accounts.js'
import type { Call } from './call.js'
import { plain, type Reply, refuse } from './replies.js'
import type { World } from './world.js'

export const TOKEN_PATH = '/cgi-bin/token'
export const STABLE_TOKEN_PATH = '/cgi-bin/stable_token'

/** GET /cgi-bin/token: parameters in the query. */
export function classicToken(world: World, call: Call): Reply {
  const { account, refusal } = identify(world, call.query, 'client_credential')
  if (!account) return refusal
  const now = world.clock.now()
  if (!world.quotas.takeDaily(account.appId, call.path, now)) return refuse(45009)
  return tokenAnswer(world.tokens.classic(account.appId, now))
}

/** POST /cgi-bin/stable_token: parameters in a JSON body. */
export function stableToken(world: World, call: Call): Reply {
  if (call.method !== 'POST') return refuse(43002)
  if (!call.hasBody) return refuse(44002)
  if (!call.body) return refuse(47001)
  const { account, refusal } = identify(world, call.body, 'client_credential')
  if (!account) return refusal
  const now = world.clock.now()
  if (!world.quotas.takeStableToken(account.appId, now)) return refuse(45011)
  if (!world.quotas.takeDaily(account.appId, call.path, now)) return refuse(45009)
  return tokenAnswer(world.tokens.stable(account.appId, call.body.force_refresh === true, now))
}

type Identified = { account: SandboxAccount; refusal?: never } | { account?: never; refusal: Reply }

/** The account that calls with its app_id and secret, as at the token and login endpoints. */
export function identify(
  world: World,
  { grant_type, appid, secret }: Call['query'],
  grantType: 'client_credential' | 'authorization_code',
): Identified {
  if (grant_type !== grantType) return { refusal: refuse(40002) }
  if (typeof appid !== 'string' || appid === '') return { refusal: refuse(41002) }
  if (typeof secret !== 'string' || secret === '') return { refusal: refuse(41004) }
  const account = world.accounts.get(appid)
  if (!account) return { refusal: refuse(40013) }
  if (account.secret === secret) return { account }
  // A real secret of another account is told apart from one that nobody has.
  return { refusal: refuse(world.accounts.ownsSecret(secret) ? 40001 : 40125) }
}

function tokenAnswer({ value, expiresIn }: { value: string; expiresIn: number }): Reply {
  return plain({ access_token: value, expires_in: expiresIn })
}
