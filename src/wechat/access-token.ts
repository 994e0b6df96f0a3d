import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { redact } from '../lib/redact.js'
import { type Refused, readAnswer } from './answer.js'
import { tokenEndpointErrcodeOf } from './errcodes.js'
import { type Ambiguous, ambiguousAfter, type Unreachable } from './failure.js'
import type { WechatHttp, WechatHttpCall } from './http.js'

export interface WechatAccount {
  appId: string
  appSecret: string
  /**
   * `stable`: POST /cgi-bin/stable_token, which other callers do not disturb. `classic`: GET /cgi-bin/token,
   * where each call kills the previous token after five minutes.
   */
  tokenMode: 'stable' | 'classic'
}

export interface FetchedToken {
  kind: 'fetched'
  token: string
  /** Its remaining life; WeChat says up to 7,200 s, and at least 300 s in stable mode. */
  expiresInMs: number
}

export type FetchTokenResult = FetchedToken | Refused | Unreachable | Ambiguous

/**
 * WeChat's page asks to reserve 512 characters. An answer with a life of more than a day cannot be WeChat's.
 */
const TokenAnswer = Compile(
  Type.Object({
    access_token: Type.String({ minLength: 1, maxLength: 512, pattern: '^[!-~]+$' }),
    expires_in: Type.Integer({ minimum: 1, maximum: 86_400 }),
  }),
)

/**
 * Asks WeChat for an access token, once (获取稳定版接口调用凭据; 获取接口调用凭据). force_refresh is never set: it kills the
 * token that others use, and is limited to 20 calls a day.
 */
export async function fetchAccessToken(
  http: Pick<WechatHttp, 'request'>,
  account: WechatAccount,
  signal?: AbortSignal,
): Promise<FetchTokenResult> {
  const result = await http.request({ ...tokenCall(account), signal })
  const answer = readAnswer(result, 'may_be_absent', tokenEndpointErrcodeOf)
  if (answer.kind === 'refused') return { ...answer, errmsg: redact(answer.errmsg, [account.appSecret]) }
  if (answer.kind !== 'succeeded') return answer
  const { body } = answer
  if (!TokenAnswer.Check(body)) return ambiguousAfter('unreadable')
  return { kind: 'fetched', token: body.access_token, expiresInMs: body.expires_in * 1_000 }
}

function tokenCall({ appId, appSecret, tokenMode }: WechatAccount): WechatHttpCall {
  if (tokenMode === 'stable')
    return {
      method: 'POST',
      path: '/cgi-bin/stable_token',
      body: JSON.stringify({ grant_type: 'client_credential', appid: appId, secret: appSecret }),
    }
  const query = new URLSearchParams({ grant_type: 'client_credential', appid: appId, secret: appSecret })
  return { method: 'GET', path: `/cgi-bin/token?${query}` }
}
