import type { ErrorCode } from '../errors.js'
import type { Bilingual } from '../lib/bilingual.js'

/** What each error code means for the caller, and what to do; and an answer with it, as a caller has seen it. */
export interface ErrorEntry {
  meaning: Bilingual
  example: { message: string; details?: Record<string, unknown> }
}

export const ERROR_TABLE: Record<ErrorCode, ErrorEntry> = {
  malformed_json: {
    meaning: {
      en: 'the body is not JSON, or not as long as its Content-Length says',
      zh: '请求体不是 JSON，或长度与 Content-Length 不符',
    },
    example: { message: 'The body is not valid JSON' },
  },
  malformed_request: {
    meaning: { en: 'not HTTP that can be understood', zh: '无法识别的 HTTP 请求' },
    example: { message: 'This is not an HTTP request' },
  },
  unauthorized: {
    meaning: { en: 'no key or session, or a wrong or expired one', zh: '没带密钥或会话，或不对、已过期' },
    example: { message: 'Send an API key as "Authorization: Bearer KEY"' },
  },
  invalid_code: {
    meaning: {
      en: 'call wx.login again: the code is wrong, older than five minutes, or of another app',
      zh: '重新 wx.login：code 不对、超过五分钟，或属于别的小程序',
    },
    example: {
      message:
        'WeChat does not know this code, or it is more than five minutes old, or from another app: call wx.login again',
    },
  },
  forbidden: {
    meaning: {
      en: 'a session may not do this: call it from your backend; or the API key lacks the scope, or is not bound to the account, that the message names',
      zh: '会话不能做这件事，请从后端调用；或 API 密钥没有报文里写的权限，或没有绑定该账号',
    },
    example: { message: 'A session may not do this: call it from your backend, with an API key' },
  },
  high_risk_user: {
    meaning: {
      en: 'do not try again: WeChat blocks the login of this person',
      zh: '不要重试：微信拦截了该用户的登录',
    },
    example: { message: 'WeChat blocks the login of this person as high-risk; do not try again' },
  },
  not_found: {
    meaning: { en: 'no such address, or no such user', zh: '没有这个地址，或没有这个用户' },
    example: { message: 'No open_id is bound to this user: bind it first (PUT /v1/users)' },
  },
  unknown_account: {
    meaning: { en: 'no such account is served here: look at app_id', zh: '这里没有该账号，请检查 app_id' },
    example: { message: 'No account wx0123456789abcdef is served here: look at app_id' },
  },
  sessions_off: {
    meaning: {
      en: 'for the operator: SESSION_SECRET is not set',
      zh: '需要运维处理：没有设置 SESSION_SECRET',
    },
    example: { message: 'Sessions are off: SESSION_SECRET is not set' },
  },
  method_not_allowed: {
    meaning: {
      en: 'the address takes another method: see the header Allow',
      zh: '该地址要用别的方法，见响应头 Allow',
    },
    example: { message: 'There is no DELETE /v1/form-ids; it takes POST' },
  },
  request_timeout: {
    meaning: {
      en: 'a request has 30 s to arrive, its headers 10 s',
      zh: '整个请求须在 30 秒内到齐，请求头 10 秒',
    },
    example: { message: 'The request took too long to arrive' },
  },
  conflict: {
    meaning: {
      en: 'the open_id belongs to another user; an erasure meets a message that is being sent: send it again after Retry-After',
      zh: 'open_id 属于别的用户；或要删除的用户正有消息在发送：等 Retry-After 之后重发',
    },
    example: { message: 'This open_id belongs to another user; send move_permits: true to hand it over' },
  },
  idempotency_conflict: {
    meaning: {
      en: 'the Idempotency-Key was sent before with another body: give each request a key of its own',
      zh: '该 Idempotency-Key 已用于内容不同的请求：每个请求用自己的键',
    },
    example: {
      message: 'This Idempotency-Key was sent before with another body: give each request a key of its own',
    },
  },
  message_sent: {
    meaning: {
      en: 'too late to cancel: the message is being sent, may have been sent, or has ended',
      zh: '来不及取消：消息正在发送、可能已发出，或已有结果',
    },
    example: { message: 'The message is delivered: it can no longer be cancelled' },
  },
  message_not_dead: {
    meaning: { en: 'only a dead letter can be queued again', zh: '只有死信才能重新排队' },
    example: { message: 'The message is delivered: only a dead letter can be queued again' },
  },
  message_expired: {
    meaning: {
      en: "the message's not_after is over: send not_after to queue it again",
      zh: '消息的 not_after 已过：重新排队时请带上新的 not_after',
    },
    example: { message: 'not_after of this message is over: send a new not_after to queue it again' },
  },
  no_permit: {
    meaning: {
      en: 'the user has no permit that would be valid: queue it again when there is one',
      zh: '用户没有可用凭证：等有了再重新排队',
    },
    example: { message: 'The user has no permit that would be valid: queue it again when there is one' },
  },
  user_stopped: {
    meaning: {
      en: 'the user wants no messages, or WeChat lets none through',
      zh: '用户不接收消息，或被微信拦截',
    },
    example: {
      message:
        'The user wants no messages, or WeChat lets none through: see stops of GET /v1/users/{user_id}',
    },
  },
  user_not_bound: {
    meaning: {
      en: "the session's open_id has no user yet",
      zh: '会话的 open_id 还没有绑定用户',
    },
    example: {
      message:
        'This open_id has no user yet: let your backend bind it (PUT /v1/users), then send this again; the session stays valid',
    },
  },
  code_used: {
    meaning: { en: 'call wx.login again: a code works once', zh: '重新 wx.login：code 只能用一次' },
    example: { message: 'This code was already used: call wx.login again' },
  },
  payload_too_large: {
    meaning: {
      en: 'a body has at most 4 KiB; with several items 1 MiB with an API key, 32 KiB with a session',
      zh: '请求体最大 4 KiB；带 items 的批量上传，用 API 密钥为 1 MiB，用会话为 32 KiB',
    },
    example: { message: 'The body is too large; send fewer items in a request' },
  },
  unsupported_media_type: {
    meaning: { en: 'send Content-Type: application/json', zh: '要带 Content-Type: application/json' },
    example: { message: 'Send JSON, with Content-Type: application/json' },
  },
  invalid_request: {
    meaning: {
      en: 'details.field names the field; where there are several faults, details.faults has all of them',
      zh: 'details.field 指出字段；有多处错误时全部列在 details.faults',
    },
    example: { message: 'user_id: must be >= 0', details: { field: 'user_id' } },
  },
  unknown_template: {
    meaning: {
      en: 'the account does not use this template, or is a service account, which uses no permits at all: details.known has those that it uses; add it to TEMPLATES, or report another one',
      zh: '该账号不使用这个模板，或是不用凭证的服务号：details.known 是可用的模板；请把它加进 TEMPLATES，或改报其他模板',
    },
    example: {
      message:
        'template_id: this account has no template OLD-TEMPLATE; it takes subscriptions to: TEMPLATE-ID-OF-YOUR-ACCOUNT. If messages use this one too, add it to TEMPLATES; if the reminder does, set REMINDER_TEMPLATE_ID',
      details: {
        field: 'template_id',
        template_id: 'OLD-TEMPLATE',
        known: ['TEMPLATE-ID-OF-YOUR-ACCOUNT'],
      },
    },
  },
  too_many_messages: {
    meaning: {
      en: 'the user has 20 messages that are not sent yet: wait until some are, or cancel some',
      zh: '该用户已有 20 条消息未发出：等一些发出，或取消一些',
    },
    example: {
      message: 'The user has 20 messages that are not sent yet: wait until some are, or cancel some',
    },
  },
  too_many_requests: {
    meaning: { en: 'wait for Retry-After', zh: '按 Retry-After 等待' },
    example: { message: 'More than 6000 requests in a minute; try again in 12 s' },
  },
  headers_too_large: {
    meaning: { en: 'the headers have more than 16 KiB', zh: '请求头超过 16 KiB' },
    example: { message: 'The headers of the request are too large' },
  },
  internal: {
    meaning: { en: 'our fault; the log says what', zh: '我方的错，日志里有原因' },
    example: {
      message:
        'Something went wrong on our side; the log says what, with trace_id 4bf92f3577b34da6a3ce929d0e0e4736',
    },
  },
  overloaded: {
    meaning: {
      en: 'somebody else holds what the request needs: after Retry-After send the same again',
      zh: '需要的行被别人占着：等 Retry-After 之后原样重发',
    },
    example: { message: 'Another transaction holds rows of this user; try again shortly' },
  },
  not_ready: {
    meaning: {
      en: 'the database is away: after Retry-After send the same again',
      zh: '数据库不可用：等 Retry-After 之后原样重发',
    },
    example: { message: 'The database does not answer; try again shortly' },
  },
  wechat_unavailable: {
    meaning: {
      en: 'WeChat does not answer: later, with a new code',
      zh: '微信没有应答：稍后用新的 code 再试',
    },
    example: {
      message: 'WeChat is not answering logins right now; call wx.login again and try with the new code',
    },
  },
  login_misconfigured: {
    meaning: { en: 'for the operator: the log says what to fix', zh: '需要运维处理，日志里有原因' },
    example: {
      message:
        'WeChat refuses this service itself; nobody can log in until its operator fixes that. The log of the service says what is wrong',
    },
  },
}
