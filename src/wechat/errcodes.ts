import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../lib/durations.js'
/**
 * What WeChat's answers mean. Each class has one effect on message, permit, user and run; the sender decides
 * by class.
 *
 * - `transient`: try again later, the permit is kept.
 * - `token`: the access token is not accepted; refresh it once.
 * - `dead_permit`: this permit is spoiled; take the user's next one.
 * - `person_limit`: WeChat takes no more for this person for hours; try again then, which says nothing of the others.
 * - `user`: this person cannot or will not be reached.
 * - `configuration`: somebody has to fix something; sending on would only burn permits.
 * - `quota`: nothing more goes out today.
 * - `duplicate`: WeChat already has this message.
 */
export type ErrcodeClass =
  | 'ok'
  | 'transient'
  | 'token'
  | 'dead_permit'
  | 'person_limit'
  | 'user'
  | 'configuration'
  | 'quota'
  | 'duplicate'
  | 'unknown'

export interface ErrcodeEntry {
  errcode: number
  name: string
  class: ErrcodeClass
  /** What it means and what to do, for operators. */
  meaning: string
  meaning_zh: string
  /**
   * The code says that this person wants no messages (`opt_out`), or that the platform lets none through
   * (`block`).
   */
  stops?: 'opt_out' | 'block'
  /** A retry before this is pointless: the limit that refused has not moved on. */
  retryAfterMs?: number
  /**
   * A refusal according to all documents, though an error inside WeChat, or something in front of it, could
   * say the same of a message that went out. A form_id resolves that: "already used" at the retry means
   * delivered. A channel without such a key resends because the answer says so: WeChat's own page tells
   * callers to try again after -1 (全局返回码: 系统繁忙，此时请开发者稍候再试), 61450 and 200001 are the same error of other
   * services, and RFC 9110, 6585 and 8470 define 408, 425, 429 and 503 as a request that was not carried out.
   * A 500, 502 or 504 says nothing of the kind: it leaves a doubt.
   */
  maybeSent?: true
  /** It is about the token, of which no refresh gets a good one: no message of the account can be sent. */
  isOfToken?: true
}

type Extra = Pick<ErrcodeEntry, 'stops' | 'retryAfterMs' | 'maybeSent'>
type Line = [errcode: number, name: string, meaning: string, meaning_zh: string, extra?: Extra]

/**
 * Sources: WeChat's pages 全局返回码, 发送订阅消息, 模板消息, 公众号模板消息, 获取稳定版接口调用凭据, code2Session; codes seen in answers but
 * on no page: 40163, 40241, 40249 to 40252, 43116, 43117.
 */
const LINES: Record<Exclude<ErrcodeClass, 'unknown'>, Line[]> = {
  ok: [[0, 'ok', 'Accepted.', '成功']],
  transient: [
    [
      -1,
      'system_busy',
      'WeChat is busy. It is retried automatically.',
      '系统繁忙，稍后自动重试',
      { maybeSent: true },
    ],
    [
      43108,
      'same_openid_concurrently',
      'Two sends to one person at once. It is retried automatically.',
      '对同一用户并发发送，稍后自动重试',
      { retryAfterMs: 2 * SECOND_MS },
    ],
    [
      45011,
      'minute_quota',
      'Too many calls in this minute. Lower SEND_RATE if it persists.',
      '接口分钟频率超限，如持续出现请调低 SEND_RATE',
      { retryAfterMs: MINUTE_MS },
    ],
    [
      61450,
      'system_error',
      'Error inside WeChat. It is retried automatically.',
      '微信系统错误，稍后自动重试',
      { maybeSent: true },
    ],
    [
      200001,
      'system_error',
      'Error inside WeChat. It is retried automatically.',
      '微信系统错误，稍后自动重试',
      { maybeSent: true },
    ],
  ],
  token: [
    [
      40001,
      'invalid_credential',
      'The access token is wrong or no longer the newest. It is refreshed once automatically.',
      'access_token 无效或不是最新，自动刷新一次',
    ],
    [
      40014,
      'invalid_access_token',
      'The access token is malformed or not known. It is refreshed once automatically.',
      'access_token 不合法，自动刷新一次',
    ],
    [
      42001,
      'access_token_expired',
      'The access token has expired. It is refreshed once automatically.',
      'access_token 已过期，自动刷新一次',
    ],
  ],
  dead_permit: [
    [
      41028,
      'form_id_invalid',
      'The form_id is wrong, has expired or belongs to another user. The next one is tried.',
      'form_id 不正确、已过期或不属于该用户，改用下一个',
    ],
    [
      41029,
      'form_id_used',
      'The form_id was already used. The next one is tried.',
      'form_id 已被使用，改用下一个',
    ],
  ],
  person_limit: [
    [
      43117,
      'too_frequent_for_openid',
      'Too many messages to this person. It is retried hours later.',
      '对该用户发送过于频繁，数小时后再试',
      { retryAfterMs: HOUR_MS },
    ],
  ],
  user: [
    [
      40003,
      'invalid_openid',
      'The open_id is not one of this account, or no longer follows it. Many at once: open_ids of another app.',
      'openid 不属于该账号或已取消关注；大量出现说明 openid 来自其他应用',
    ],
    [
      40029,
      'invalid_code',
      'The login code is wrong or from another app. Call wx.login again.',
      '登录 code 无效',
    ],
    [40163, 'code_used', 'The login code was already used. Call wx.login again.', '登录 code 已被使用'],
    [40226, 'high_risk_user', 'WeChat blocks the login of this person.', '高风险用户，登录被拦截'],
    [
      43004,
      'require_subscribe',
      'The person does not follow the service account.',
      '用户未关注服务号',
      { stops: 'block' },
    ],
    [
      43019,
      'in_blacklist',
      'The person is on the account’s blacklist.',
      '用户在账号黑名单中',
      { stops: 'block' },
    ],
    [
      43101,
      'user_refused',
      'The person refused, or has no subscription left.',
      '用户拒绝接收或订阅次数已用完',
      { stops: 'opt_out' },
    ],
    [
      48002,
      'user_switched_off',
      'The person switched off receiving messages.',
      '用户已关闭消息接收',
      { stops: 'block' },
    ],
    [50005, 'not_following', 'The person does not follow the account.', '用户未关注公众号'],
  ],
  configuration: [
    [
      40002,
      'invalid_grant_type',
      'Wrong grant_type: check WX_API_BASE_URL.',
      'grant_type 错误，检查接口地址',
    ],
    [40013, 'invalid_appid', 'Wrong app_id: check WX_APP_ID.', 'AppID 错误，检查 WX_APP_ID'],
    [
      40033,
      'invalid_charset',
      'The request holds \\uXXXX escapes: send raw UTF-8.',
      '请求含 \\uXXXX，需直接使用 UTF-8',
    ],
    [
      40036,
      'template_id_length',
      'template_id has the wrong length: check REMINDER_TEMPLATE_ID.',
      'template_id 长度错误，检查 REMINDER_TEMPLATE_ID',
    ],
    [
      40037,
      'invalid_template_id',
      'No such template in this account: check REMINDER_TEMPLATE_ID and WX_CHANNEL.',
      'template_id 不属于该账号，检查 REMINDER_TEMPLATE_ID 与 WX_CHANNEL',
    ],
    [40125, 'invalid_appsecret', 'Wrong secret: check WX_APP_SECRET.', 'AppSecret 错误，检查 WX_APP_SECRET'],
    [
      40164,
      'ip_not_whitelisted',
      'This machine’s IP is not in the whitelist: add the one in errmsg in the WeChat console.',
      '本机 IP 不在白名单，请在后台添加 errmsg 中的 IP',
    ],
    [
      40243,
      'appsecret_frozen',
      'The secret is frozen: unfreeze it in the console.',
      'AppSecret 已被冻结，请在后台解冻',
    ],
    [
      40249,
      'marketing_content',
      'The content counts as marketing: change the template data.',
      '内容涉及营销，请修改',
    ],
    [
      40250,
      'malformed_content',
      'The content is malformed, for example empty: change the data.',
      '内容格式不符或为空，请修改',
    ],
    [
      40251,
      'account_capped',
      'The account is capped after violations: see the console.',
      '账号因违规被限量，请看后台通知',
    ],
    [40252, 'content_in_review', 'The content is under review by the platform.', '内容正在平台审核中'],
    [
      41001,
      'access_token_missing',
      'The request had no access token: a fault of this program.',
      '缺少 access_token（程序错误）',
    ],
    [41002, 'appid_missing', 'The app_id is missing: set WX_APP_ID.', '缺少 AppID，设置 WX_APP_ID'],
    [
      41004,
      'secret_missing',
      'The secret is missing: set WX_APP_SECRET.',
      '缺少 AppSecret，设置 WX_APP_SECRET',
    ],
    [
      41030,
      'invalid_page',
      'The page is not in the released mini-program: check REMINDER_PAGE.',
      'page 不在已发布的小程序中，检查 REMINDER_PAGE',
    ],
    [
      43002,
      'require_post',
      'The call needs POST: check proxies and WX_API_BASE_URL.',
      '需要 POST 请求，检查代理与接口地址',
    ],
    [43106, 'account_punished', 'The account is punished: see the console.', '账号被处罚，请看后台通知'],
    [
      43107,
      'template_banned',
      'Subscriptions or this template are banned: see the console.',
      '订阅消息能力或模板被封禁',
    ],
    [43116, 'template_id_banned', 'This template is banned: see the console.', '该模板被封禁，请看后台通知'],
    [44002, 'empty_post', 'The body arrived empty: check proxies.', '请求体为空，检查代理'],
    [
      45103,
      'api_unsupported',
      'WeChat withdrew form_id messages on 2020-01-10: its servers no longer accept them, only the sandbox does.',
      '微信已于 2020-01-10 下线 formId 模板消息，真实环境不可再用，仅沙箱可用',
    ],
    [
      45109,
      'api_withdrawn',
      'WeChat has withdrawn this API: nothing more can be sent through it.',
      '接口已收回，无法再发送',
    ],
    [
      45168,
      'sensitive_words',
      'The content has sensitive words: change REMINDER_DATA.',
      '内容含敏感词，请修改 REMINDER_DATA',
    ],
    [47001, 'malformed_json', 'WeChat could not read the request body.', '请求体 JSON 格式错误'],
    [
      47003,
      'invalid_data',
      'A field breaks the template’s rule; errmsg names it: check REMINDER_DATA.',
      '模板字段不符合规则（见 errmsg），检查 REMINDER_DATA',
    ],
    [48001, 'api_unauthorized', 'The account may not use this API: see the console.', '账号没有该接口权限'],
    [
      48004,
      'api_banned',
      'The API is banned after violations: see the console.',
      '接口因违规被封禁，请看后台通知',
    ],
    [48006, 'clear_quota_used_up', 'Quotas were already reset ten times this month.', '本月清零次数已用完'],
    [
      48008,
      'no_template_permission',
      'The account may not send this kind of template.',
      '账号没有该类模板的权限',
    ],
    [50001, 'api_unauthorized', 'The account may not use this API: see the console.', '账号没有该接口权限'],
    [
      50002,
      'account_restricted',
      'The account is restricted: see the console.',
      '账号功能受限，请看后台通知',
    ],
    [76021, 'cgi_path_not_found', 'WeChat keeps no quota of this path.', '微信没有该接口的额度信息'],
    [76004, 'rid_too_old', 'A rid can be looked up for seven days only.', 'rid 超过 7 天，无法查询'],
    [
      89501,
      'ip_being_confirmed',
      'An administrator is confirming this IP: wait.',
      '管理员正在确认该 IP，请等待',
    ],
    [
      89503,
      'ip_needs_confirmation',
      'An administrator has to confirm this IP in WeChat.',
      '该 IP 需管理员在微信中确认',
    ],
    [
      89506,
      'ip_rejected_twice',
      'The administrator rejected this IP twice: blocked for 24 hours.',
      '该 IP 被拒绝两次，24 小时内不可用',
    ],
    [
      89507,
      'ip_rejected',
      'The administrator rejected this IP: blocked for one hour.',
      '该 IP 被拒绝，1 小时内不可用',
    ],
    [200012, 'template_limit', 'The account has reached its limit of templates.', '模板数量已达上限'],
    [200013, 'template_banned', 'This template is banned: see the console.', '该模板被封禁'],
    [200022, 'template_exists', 'The account already has this template.', '模板已存在'],
    [200100, 'wrong_account_type', 'This call is not for accounts of this kind.', '账号类型不支持该接口'],
  ],
  quota: [
    [
      45009,
      'daily_quota',
      'Today’s quota of this API is used up. Sending resumes the next day, or once the quota is reset in the console.',
      '今日接口额度已用完，次日恢复或在后台清零',
    ],
    [45029, 'quota', 'A quota of the account is used up.', '账号额度已用完'],
  ],
  duplicate: [
    [
      40241,
      'duplicate_message',
      'WeChat got the same message less than 60 seconds ago.',
      '60 秒内重复的消息，视为已发送',
    ],
  ],
}

const TABLE: ReadonlyMap<number, ErrcodeEntry> = new Map(
  Object.entries(LINES).flatMap(([errcodeClass, lines]) =>
    lines.map(([errcode, name, meaning, meaning_zh, extra]): [number, ErrcodeEntry] => [
      errcode,
      Object.freeze({ errcode, name, class: errcodeClass as ErrcodeClass, meaning, meaning_zh, ...extra }),
    ]),
  ),
)

/** Every known code, for pages and for the sandbox. */
export const ERRCODES: readonly ErrcodeEntry[] = [...TABLE.values()]

/**
 * The entry for a code that WeChat answered to a business call. A code that is in no table has class
 * `unknown`.
 */
export function errcodeOf(errcode: number): ErrcodeEntry {
  return (
    TABLE.get(errcode) ?? {
      errcode,
      name: 'unknown',
      class: 'unknown',
      meaning: 'WeChat answered with an unknown code: look up its rid in the console within seven days.',
      meaning_zh: '未知错误码，可在 7 天内用 rid 到后台查询',
    }
  )
}

/**
 * Codes that mean something else in the answer to a request for a token: there 40001 is a wrong secret, which
 * no refresh fixes (获取稳定版接口调用凭据, 错误码).
 */
const TOKEN_ENDPOINT: ReadonlyMap<number, ErrcodeEntry> = new Map([
  [
    40001,
    {
      errcode: 40001,
      name: 'invalid_appsecret',
      class: 'configuration',
      meaning: 'The secret is wrong or of another account: check WX_APP_ID and WX_APP_SECRET.',
      meaning_zh: 'AppSecret 错误或不属于该 AppID，检查 WX_APP_ID 与 WX_APP_SECRET',
    },
  ],
])

/** The entry for a code that a token endpoint answered. */
export function tokenEndpointErrcodeOf(errcode: number): ErrcodeEntry {
  return TOKEN_ENDPOINT.get(errcode) ?? errcodeOf(errcode)
}

/**
 * For a token that was refused twice, or the same token again after a refresh: from here on it needs a
 * person.
 */
export function tokenStaysRefused(errcode: number): ErrcodeEntry {
  return {
    errcode,
    name: 'token_stays_refused',
    class: 'configuration',
    isOfToken: true,
    meaning:
      'WeChat refuses a freshly fetched access token. Check that WX_APP_ID and WX_API_BASE_URL belong together, and that no other program fetches tokens for this account (WX_TOKEN_MODE=stable keeps it apart from them).',
    meaning_zh:
      '刚刷新的 access_token 仍被拒绝：检查 WX_APP_ID 与 WX_API_BASE_URL，并确认没有其他程序刷新该账号的 token（可用 WX_TOKEN_MODE=stable）',
  }
}

/** Statuses by which a server says that it did not process the request (RFC 9110, RFC 6585, RFC 8470). */
const NOT_TAKEN_UP = new Set([408, 425, 429, 503])

/**
 * The entry for an HTTP status that came without a WeChat answer, or undefined where the status leaves open
 * whether the request had its effect. HTTP statuses and WeChat's codes do not overlap, so the status serves
 * as errcode.
 */
export function httpStatusEntry(status: number): ErrcodeEntry | undefined {
  if (NOT_TAKEN_UP.has(status))
    return {
      errcode: status,
      name: `http_${status}`,
      class: 'transient',
      meaning: `The server is overloaded (HTTP ${status}). It is retried automatically.`,
      meaning_zh: `服务器过载（HTTP ${status}），稍后自动重试`,
      maybeSent: true,
    }
  if (status >= 300 && status < 500)
    return {
      errcode: status,
      name: `http_${status}`,
      class: 'configuration',
      meaning: `Something other than WeChat's API answered (HTTP ${status}): check WX_API_BASE_URL and proxies.`,
      meaning_zh: `应答不是来自微信接口（HTTP ${status}），检查 WX_API_BASE_URL 与代理`,
      maybeSent: true,
    }
  return undefined
}
