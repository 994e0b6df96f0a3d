import type { DatabaseOf } from '../db/share.js'
import { inRequest } from '../db/transaction.js'
import { ServiceError } from '../errors.js'
import type { Logger } from '../lib/logger.js'
import { maskOpenId } from '../lib/redact.js'
import type { UserId } from '../lib/user-id.js'
import type { Refused } from '../wechat/answer.js'
import { CODE } from '../wechat/codes.js'
import type { LoginResult } from '../wechat/login.js'
import type { SessionTokens } from './session-token.js'
import * as store from './store.js'
import { type Numbering, userIdOf } from './user-ids.js'

export interface LogInDeps {
  dbOf: DatabaseOf
  tokens: SessionTokens
  /** Asks WeChat whose code of wx.login this is. */
  exchangeCode(appId: string, code: string): Promise<LoginResult>
  log: Logger
}

export interface Session {
  token: string
  expiresAt: number
  /** undefined until the owner's backend has bound the open_id. */
  userId: UserId | undefined
}

/** A WeChat quota per minute ends with the minute. */
const MINUTE_SECONDS = 60

/**
 * Exchanges a code of wx.login for a session of ours. The person is found or created by open_id. Throws a
 * ServiceError for each of WeChat's refusals.
 */
export async function logIn(
  deps: LogInDeps,
  { account, code, traceId }: { account: Numbering; code: string; traceId: string },
  now: number,
): Promise<Session> {
  const { dbOf, log } = deps
  const { appId } = account
  const result = await deps.exchangeCode(appId, code)
  if (result.kind !== 'logged_in') {
    logRefusal(log, { trace_id: traceId, app_id: appId }, result)
    throw refusalOf(result)
  }
  const { openId, unionId } = result
  const userId = await inRequest(dbOf(appId), async (trx) => {
    const user = await userIdOf(trx, account, openId, now)
    await store.recordLogin(trx, { appId, openId, unionId }, now)
    return user
  })
  log.debug({
    event: 'session.opened',
    trace_id: traceId,
    app_id: appId,
    open_id: maskOpenId(openId),
    user_id: userId,
  })
  return { ...(await deps.tokens.issue({ appId, openId }, now)), userId }
}

type Failure = Exclude<LoginResult, { kind: 'logged_in' }>

/** A wrong app_id or secret, an IP that is not listed: no client can fix it. */
function isOurFault(result: Failure): result is Refused {
  return (
    result.kind === 'refused' && (result.entry.class === 'configuration' || result.entry.class === 'token')
  )
}

function logRefusal(log: Logger, call: Record<string, string>, result: Failure): void {
  const said =
    result.kind === 'refused' ? { errcode: result.errcode, errmsg: result.errmsg } : { reason: result.reason }
  const fields = { event: 'session.refused', ...call, ...said }
  if (isOurFault(result)) log.error(fields, result.entry.meaning)
  else log.info(fields)
}

/** What a client is told, and what it can do. Codes: 小程序登录凭证校验; that page lacks 40163. */
function refusalOf(result: Failure): ServiceError {
  if (result.kind === 'refused') {
    switch (result.errcode) {
      case CODE.invalidLoginCode:
        return new ServiceError(
          'invalid_code',
          'WeChat does not know this code, or it is more than five minutes old, or from another app: call wx.login again',
        )
      case CODE.loginCodeUsed:
        return new ServiceError('code_used', 'This code was already used: call wx.login again')
      case CODE.highRiskUser:
        return new ServiceError(
          'high_risk_user',
          'WeChat blocks the login of this person as high-risk; do not try again',
        )
      case CODE.minuteQuota:
        return new ServiceError(
          'too_many_requests',
          'WeChat accepts no more logins this minute; try again in the next one',
          undefined,
          MINUTE_SECONDS,
        )
    }
    if (isOurFault(result)) {
      return new ServiceError(
        'login_misconfigured',
        'WeChat refuses this service itself; nobody can log in until its operator fixes that. The log of the service says what is wrong',
      )
    }
  }
  return new ServiceError(
    'wechat_unavailable',
    'WeChat is not answering logins right now; call wx.login again and try with the new code',
  )
}
