import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { redact } from '../lib/redact.js'
import { type Refused, readAnswer } from './answer.js'
import { tokenEndpointErrcodeOf } from './errcodes.js'
import { type Ambiguous, ambiguousAfter, type Unreachable } from './failure.js'
import type { WechatHttp } from './http.js'

/** Who logged in. WeChat's session_key is dropped: nothing here decrypts user data, so nobody needs it. */
export interface LoggedIn {
  kind: 'logged_in'
  openId: string
  /** Only for an app that is bound to an open platform account. */
  unionId: string | undefined
}

export type LoginResult = LoggedIn | Refused | Unreachable | Ambiguous

/** Lengths as the columns hold them. Every answer has a session_key; one without it is not WeChat's. */
const LoginAnswer = Compile(
  Type.Object({
    openid: Type.String({ minLength: 1, maxLength: 100, pattern: '^[!-~]+$' }),
    session_key: Type.String({ minLength: 1 }),
    unionid: Type.Optional(Type.String({ maxLength: 64, pattern: '^[!-~]*$' })),
  }),
)

/**
 * Exchanges the code from wx.login, once (小程序登录凭证校验 code2session). A code works once within five minutes, so
 * after an unclear answer only a new code helps.
 */
export async function exchangeLoginCode(
  http: Pick<WechatHttp, 'request'>,
  account: { appId: string; appSecret: string },
  code: string,
): Promise<LoginResult> {
  const { appId, appSecret } = account
  const query = new URLSearchParams({
    appid: appId,
    secret: appSecret,
    js_code: code,
    grant_type: 'authorization_code',
  })
  const result = await http.request({ method: 'GET', path: `/sns/jscode2session?${query}` })
  // WeChat refuses a secret with the codes of the token endpoints.
  const answer = readAnswer(result, 'may_be_absent', tokenEndpointErrcodeOf)
  if (answer.kind === 'refused') return { ...answer, errmsg: redact(answer.errmsg, [appSecret, code]) }
  if (answer.kind !== 'succeeded') return answer
  const { body } = answer
  if (!LoginAnswer.Check(body)) return ambiguousAfter('unreadable')
  return { kind: 'logged_in', openId: body.openid, unionId: body.unionid || undefined }
}
