import { redact } from '../lib/redact.js'
import { type Answer, msgidOf, type Refused, readAnswer } from './answer.js'
import { type ErrcodeEntry, tokenStaysRefused } from './errcodes.js'
import { type Ambiguous, type Unreachable, unreachableBecause } from './failure.js'
import type { WechatHttp } from './http.js'
import type { OfficialTemplateMessage, SubscribeMessage, TemplateMessage } from './messages.js'
import { SEND_PATHS } from './send-paths.js'
import { TokenError } from './token-error.js'
import { toWire } from './wire.js'

/** Where the client gets its access token. Both methods throw TokenError. */
export interface AccessTokens {
  get(): Promise<string>
  /** A token other than `failing`, which WeChat has just refused. */
  replace(failing: string): Promise<string>
}

/** `accepted` means that WeChat took the message; a push event later tells whether it reached the phone. */
export type SendResult = { kind: 'accepted'; msgid?: string } | Refused | Unreachable | Ambiguous

export interface WechatCall {
  method: 'GET' | 'POST'
  /** WeChat's path, without the token. */
  path: string
  body?: object
}

export interface CallOptions {
  signal?: AbortSignal
  /**
   * Asked when a request has all it needs, the token included, and is about to leave; asked again before the
   * request with a new token, which can take seconds to come. False: the request does not leave, and the
   * result is `unreachable`.
   */
  mayLeave?(): boolean | Promise<boolean>
}

export interface WechatClient {
  /** Mini-program template message, with a form_id or prepay_id (模板消息 templateMessage.send). */
  sendTemplateMessage(message: TemplateMessage, options?: CallOptions): Promise<SendResult>
  /** Mini-program subscribe message (发送订阅消息). It has no idempotency key. */
  sendSubscribeMessage(message: SubscribeMessage, options?: CallOptions): Promise<SendResult>
  /** Service-account template message (公众号模板消息). The same client_msg_id is delivered once within 10 minutes. */
  sendOfficialTemplateMessage(message: OfficialTemplateMessage, options?: CallOptions): Promise<SendResult>
  /** Any other call that takes an access token, such as a template list. */
  call(call: WechatCall, options?: CallOptions): Promise<Answer>
}

/**
 * WeChat's calls for one account. Results are values, and each says whether a message may have been sent.
 * Only one thing is retried: a token that WeChat clearly refused is replaced once, and the call is made once
 * more.
 */
export function createWechatClient(deps: {
  http: Pick<WechatHttp, 'request'>
  tokens: AccessTokens
}): WechatClient {
  const { http, tokens } = deps
  const query = tokenQuery()

  const request = ({ method, path, body }: WechatCall, token: string, signal?: AbortSignal) =>
    http.request({
      method,
      path: path + query(token),
      body: body === undefined ? undefined : toWire(body),
      signal,
    })

  // Whatever is known at once is not awaited: each message of a large run comes by here.
  const ask = async (
    call: WechatCall,
    token: string,
    errcodeWhenOk: 'always' | 'may_be_absent',
    { signal, mayLeave }: CallOptions,
  ): Promise<Answer> => {
    const isAllowed = mayLeave === undefined || mayLeave()
    if (isAllowed !== true && !(await isAllowed)) return unreachableBecause('aborted')
    const answer = readAnswer(await request(call, token, signal), errcodeWhenOk)
    return answer.kind === 'refused' ? { ...answer, errmsg: redact(answer.errmsg, [token]) } : answer
  }

  const askWithToken = async (
    call: WechatCall,
    errcodeWhenOk: 'always' | 'may_be_absent',
    options: CallOptions = {},
  ): Promise<Answer> => {
    let refused: Refused | undefined
    try {
      const token = await tokens.get()
      const first = await ask(call, token, errcodeWhenOk, options)
      if (!isTokenRefused(first)) return first
      refused = first
      const fresh = await tokens.replace(token)
      if (fresh === token) return withEntry(first, tokenStaysRefused(first.errcode))
      const second = await ask(call, fresh, errcodeWhenOk, options)
      return isTokenRefused(second) ? withEntry(second, tokenStaysRefused(second.errcode)) : second
    } catch (error) {
      if (error instanceof TokenError) return withoutToken(error, refused)
      throw error
    }
  }

  const send = (path: string, body: object, options?: CallOptions): Promise<SendResult> =>
    askWithToken({ method: 'POST', path, body }, 'always', options).then(toSendResult)

  return {
    sendTemplateMessage: (message, options) => send(SEND_PATHS.form_id, message, options),
    sendSubscribeMessage: (message, options) => send(SEND_PATHS.subscribe, message, options),
    sendOfficialTemplateMessage: (message, options) => send(SEND_PATHS.official, message, options),
    call: (call, options) => askWithToken(call, 'may_be_absent', options),
  }
}

function toSendResult(answer: Answer): SendResult {
  if (answer.kind !== 'succeeded') return answer
  const msgid = msgidOf(answer.text)
  return msgid === undefined ? { kind: 'accepted' } : { kind: 'accepted', msgid }
}

function isTokenRefused(answer: Answer): answer is Refused {
  return answer.kind === 'refused' && answer.entry.class === 'token'
}

function withEntry(answer: Refused, entry: ErrcodeEntry): Refused {
  return { ...answer, entry }
}

/** Nothing was sent: either no request was made, or its token was refused. */
function withoutToken(error: TokenError, refused: Refused | undefined): Refused | Unreachable {
  if (error.class === 'transient' || error.entry === undefined) return unreachableBecause('token')
  return {
    kind: 'refused',
    errcode: error.entry.errcode,
    errmsg: error.message,
    ...(refused?.rid === undefined ? {} : { rid: refused.rid }),
    entry: { ...error.entry, class: error.class, isOfToken: true },
  }
}

/** `?access_token=…`, encoded once per token, not per message. */
function tokenQuery(): (token: string) => string {
  let last = ''
  let encoded = ''
  return (token) => {
    if (token !== last) {
      last = token
      encoded = `?access_token=${encodeURIComponent(token)}`
    }
    return encoded
  }
}
