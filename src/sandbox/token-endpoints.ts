import type { SandboxAccount } from './accounts.js'
import type { Call } from './call.js'
import { plain, type Reply, refuse } from './replies.js'
import type { World } from './world.js'

export const TOKEN_PATH = '/cgi-bin/token'
export const STABLE_TOKEN_PATH = '/cgi-bin/stable_token'

/** GET /cgi-bin/token: parameters in the query. */
export function classicToken(world: World, call: Call): Reply {
  const { account, refusal } = mayAskForTokens(world, call, call.query)
  if (!account) return refusal
  const now = world.clock.now()
  const spent = world.quotas.take(account.appId, call.path, now)
  if (spent !== undefined) return refuse(spent)
  return tokenAnswer(world.tokens.classic(account.appId, now))
}

/** POST /cgi-bin/stable_token: parameters in a JSON body. */
export function stableToken(world: World, call: Call): Reply {
  if (call.method !== 'POST') return refuse(43002)
  if (!call.hasBody) return refuse(44002)
  if (!call.body) return refuse(47001)
  const { account, refusal } = mayAskForTokens(world, call, call.body)
  if (!account) return refusal
  const now = world.clock.now()
  const spent = world.quotas.take(account.appId, call.path, now)
  if (spent !== undefined) return refuse(spent)
  return tokenAnswer(world.tokens.stable(account.appId, call.body.force_refresh === true, now))
}

type Identified = { account: SandboxAccount; refusal?: never } | { account?: never; refusal: Reply }

/** The account that calls with its app_id and secret, as at the token and login endpoints. */
export function identify(world: World, appId: unknown, secret: unknown): Identified {
  if (typeof appId !== 'string' || appId === '') return { refusal: refuse(41002) }
  if (typeof secret !== 'string' || secret === '') return { refusal: refuse(41004) }
  const account = world.accounts.get(appId)
  if (!account) return { refusal: refuse(40013) }
  // A real secret of another account is told apart from one that nobody has.
  if (account.secret !== secret) return { refusal: refuse(world.accounts.ownsSecret(secret) ? 40001 : 40125) }
  return account.secretFrozen ? { refusal: refuse(40243) } : { account }
}

/** Only tokens are kept from addresses that are not on the account's list. */
function mayAskForTokens(
  world: World,
  { ip }: Call,
  { grant_type, appid, secret }: Call['query'],
): Identified {
  if (grant_type !== 'client_credential') return { refusal: refuse(40002) }
  const identified = identify(world, appid, secret)
  if (!identified.account || identified.account.allowsAddress(ip)) return identified
  return { refusal: refuse(40164, `${ip} ipv6 ::ffff:${ip}, not in whitelist`) }
}

function tokenAnswer({ value, expiresIn }: { value: string; expiresIn: number }): Reply {
  return plain({ access_token: value, expires_in: expiresIn })
}
