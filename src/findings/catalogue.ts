import type { Bilingual } from '../lib/bilingual.js'

/** A known reason why messages fail. Its name is stable: programs and docs/troubleshooting.md go by it. */
export interface KnownError {
  /**
   * Which of the seven usual errors: 1 token, 2 template of another account, 3 user not subscribed or used up, 4 data
   * breaking a rule, 5 network and retries, 6 page, 7 concurrency and shared state. 0 = another one.
   */
  error: 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7
  reason: Bilingual
  fix: Bilingual
}

const known = <Name extends string>(errors: Record<Name, KnownError>): Record<Name, KnownError> => errors

export const KNOWN_ERRORS = known({
  token_wrong_secret: {
    error: 1,
    reason: {
      en: 'The app secret is wrong, of another account, or frozen.',
      zh: 'AppSecret 错误、属于其他账号，或已被冻结。',
    },
    fix: {
      en: 'Copy WX_APP_SECRET anew from the console of exactly this WX_APP_ID, and unfreeze it there if it is frozen.',
      zh: '到该 WX_APP_ID 的后台重新复制 WX_APP_SECRET；如已冻结，先在后台解冻。',
    },
  },
  token_wrong_app_id: {
    error: 1,
    reason: { en: 'WeChat knows no such app_id.', zh: '微信没有这个 AppID。' },
    fix: {
      en: 'Check WX_APP_ID, and that WX_API_BASE_URL is the WeChat that has this account.',
      zh: '检查 WX_APP_ID，以及 WX_API_BASE_URL 是否为该账号所在的微信。',
    },
  },
  token_ip_not_allowed: {
    error: 1,
    reason: {
      en: 'This machine’s address may not fetch access tokens for the account.',
      zh: '本机 IP 不在该账号获取 access_token 的白名单中。',
    },
    fix: {
      en: 'Add the address that errmsg names to the IP whitelist in the WeChat console, or let the administrator confirm it.',
      zh: '把 errmsg 中的 IP 加入微信后台的 IP 白名单，或请管理员确认该 IP。',
    },
  },
  token_foreign_refresher: {
    error: 1,
    reason: {
      en: 'Access tokens die before their time: another program fetches tokens for this account.',
      zh: 'access_token 提前失效：有其他程序在获取该账号的 token。',
    },
    fix: {
      en: 'Set WX_TOKEN_MODE=stable here, and let one program alone fetch classic tokens. Check that WX_APP_ID and WX_API_BASE_URL belong together.',
      zh: '这里设置 WX_TOKEN_MODE=stable，普通 token 只由一个程序获取；并确认 WX_APP_ID 与 WX_API_BASE_URL 相符。',
    },
  },
  token_not_had: {
    error: 1,
    reason: { en: 'WeChat gives no access token just now.', zh: '暂时无法从微信获取 access_token。' },
    fix: {
      en: 'It is tried again by itself. If it lasts, check the network and proxies of this machine and WX_API_BASE_URL.',
      zh: '会自动重试。如果持续出现，请检查本机网络、代理和 WX_API_BASE_URL。',
    },
  },
  template_not_of_account: {
    error: 2,
    reason: { en: 'The account has no such template.', zh: '该账号没有这个模板。' },
    fix: {
      en: 'Copy REMINDER_TEMPLATE_ID from the console of exactly this WX_APP_ID: an id of another account, or of a test environment, is not known here.',
      zh: '到该 WX_APP_ID 的后台复制 REMINDER_TEMPLATE_ID：其他账号或测试环境的模板 ID 在这里无效。',
    },
  },
  template_of_other_product: {
    error: 2,
    reason: {
      en: 'The template belongs to another product of the account: its messages go out by another channel.',
      zh: '该模板属于账号的另一种消息，要通过其他渠道发送。',
    },
    fix: {
      en: 'Set WX_CHANNEL to the channel of the template, or take a template of this channel’s list in the console.',
      zh: '把 WX_CHANNEL 设为模板对应的渠道，或在后台换用本渠道列表中的模板。',
    },
  },
  template_of_other_type: {
    error: 2,
    reason: {
      en: 'The template is for long-term subscriptions; permits are counted for one-time ones.',
      zh: '这是长期订阅模板，而凭证按一次性订阅计数。',
    },
    fix: {
      en: 'Choose a template for one-time subscriptions in the console, and set REMINDER_TEMPLATE_ID to it.',
      zh: '在后台选用一次性订阅的模板，并设为 REMINDER_TEMPLATE_ID。',
    },
  },
  user_not_subscribed: {
    error: 3,
    reason: {
      en: 'The user has not subscribed, has used the subscription up, has turned messages off, or does not follow.',
      zh: '用户没有订阅、订阅次数已用完、关闭了消息，或没有关注。',
    },
    fix: {
      en: 'Nothing for the few. A mini-program asks again at the daily sign-in (requestSubscribeMessage); a service account asks to be followed, with its messages on. If it is suddenly everybody, it was a fault of the platform: bring-back undoes it.',
      zh: '少量无需处理。小程序请在每日签到时再次请求订阅（requestSubscribeMessage）；服务号请引导用户关注并打开消息接收。如果突然所有人都这样，可能是平台故障，可用 bring-back 撤销。',
    },
  },
  permit_used_up: {
    error: 3,
    reason: {
      en: 'The form_id was used, has expired, or belongs to another user.',
      zh: 'form_id 已用过、已过期，或属于其他用户。',
    },
    fix: {
      en: 'Nothing for the few: the next one is taken. For many, look how form_ids are uploaded: late without submitted_at, twice, or with the wrong open_id.',
      zh: '少量无需处理，会改用下一个。如果很多，请检查 form_id 的上传：是否太晚且没带 submitted_at、是否重复、openid 是否有误。',
    },
  },
  user_of_other_app: {
    error: 3,
    reason: {
      en: 'The open_id is not one of this account, or no longer follows it.',
      zh: 'openid 不属于该账号，或已取消关注。',
    },
    fix: {
      en: 'If there are many, the backend uploads open_ids of another app: look at WX_APP_ID and at the login of the client.',
      zh: '如果很多，说明后端上传了其他应用的 openid：检查 WX_APP_ID 和客户端登录。',
    },
  },
  data_keys_differ: {
    error: 4,
    reason: {
      en: 'The keys of the template and of REMINDER_DATA are not the same.',
      zh: '模板的字段与 REMINDER_DATA 的字段不一致。',
    },
    fix: {
      en: 'Give REMINDER_DATA a text for each key that the template has, and for no other.',
      zh: '让 REMINDER_DATA 恰好包含模板的每个字段，不多也不少。',
    },
  },
  data_not_in_enum: {
    error: 4,
    reason: {
      en: 'A text is none of the values that the template allows for its key.',
      zh: '某字段的值不在模板允许的枚举值之中。',
    },
    fix: {
      en: 'Set the key in REMINDER_DATA to one of the values that the console shows for the template.',
      zh: '把 REMINDER_DATA 中的该字段改为后台模板列出的枚举值之一。',
    },
  },
  data_breaks_rule: {
    error: 4,
    reason: {
      en: 'A value breaks the rule of its key’s type, or is empty; errmsg names the key.',
      zh: '某个值不符合其字段类型的规则，或为空；errmsg 中有字段名。',
    },
    fix: {
      en: 'Change the text of that key in REMINDER_DATA: its type (thing, phrase, date …) says what it may hold.',
      zh: '修改 REMINDER_DATA 中该字段的文字：类型（thing、phrase、date……）决定可填内容。',
    },
  },
  data_not_allowed: {
    error: 4,
    reason: {
      en: 'WeChat does not allow the content: sensitive words, or marketing.',
      zh: '微信不允许该内容：含敏感词或属于营销。',
    },
    fix: { en: 'Change the texts in REMINDER_DATA.', zh: '修改 REMINDER_DATA 中的文字。' },
  },
  network_unreachable: {
    error: 5,
    reason: {
      en: 'WeChat could not be reached; nothing was sent.',
      zh: '无法连接微信，消息没有发出。',
    },
    fix: {
      en: 'It is tried again by itself. If it lasts, check network, DNS and proxies of this machine, and WX_API_BASE_URL.',
      zh: '会自动重试。如果持续出现，请检查本机网络、DNS、代理和 WX_API_BASE_URL。',
    },
  },
  network_no_answer: {
    error: 5,
    reason: {
      en: 'The request left and no clear answer came: the message may have been delivered.',
      zh: '请求已发出但没有得到明确应答，消息可能已送达。',
    },
    fix: {
      en: 'It is repeated where that cannot deliver twice. If there are many, look for a proxy with a time limit below 10 s.',
      zh: '在不会重复送达的前提下自动重试。如果很多，请检查是否有超时低于 10 秒的代理。',
    },
  },
  network_not_wechat: {
    error: 5,
    reason: {
      en: 'Something other than WeChat’s API answered, or changed the request on its way.',
      zh: '应答的不是微信接口，或请求在途中被改动。',
    },
    fix: { en: 'Check WX_API_BASE_URL and proxies.', zh: '检查 WX_API_BASE_URL 与代理。' },
  },
  wechat_busy: {
    error: 5,
    reason: {
      en: 'WeChat, or a server in front of it, is busy.',
      zh: '微信或其前面的服务器繁忙。',
    },
    fix: {
      en: 'It is tried again by itself. If it lasts, lower SEND_RATE or SEND_CONCURRENCY.',
      zh: '会自动重试。如果持续出现，请调低 SEND_RATE 或 SEND_CONCURRENCY。',
    },
  },
  page_not_released: {
    error: 6,
    reason: {
      en: 'The page is not in the released version of the mini-program.',
      zh: 'page 不在已发布的小程序版本中。',
    },
    fix: {
      en: 'Release the version that has the page, or set REMINDER_PAGE to a page of the released one.',
      zh: '发布包含该页面的版本，或把 REMINDER_PAGE 改为已发布版本中的页面。',
    },
  },
  page_missing: {
    error: 6,
    reason: {
      en: 'The reminder opens nothing: it cannot be tapped.',
      zh: '提醒没有跳转目标，点击无反应。',
    },
    fix: {
      en: 'Set REMINDER_PAGE; for a service account REMINDER_URL or REMINDER_MINIPROGRAM.',
      zh: '设置 REMINDER_PAGE；服务号设置 REMINDER_URL 或 REMINDER_MINIPROGRAM。',
    },
  },
  concurrent_sends: {
    error: 7,
    reason: {
      en: 'Two messages to one person at once, or too soon one after the other.',
      zh: '对同一用户并发发送，或间隔太短。',
    },
    fix: {
      en: 'It is tried again by itself. If it lasts, another program sends to the same people: let one service send.',
      zh: '会自动重试。如果持续出现，说明有其他程序给同样的用户发消息：请只由一个服务发送。',
    },
  },
  rate_too_high: {
    error: 7,
    reason: {
      en: 'All processes together call WeChat too often in a minute.',
      zh: '所有进程合计的调用超过了微信的分钟频率。',
    },
    fix: {
      en: 'Set or lower SEND_RATE, and share it among processes with REDIS_URL.',
      zh: '设置或调低 SEND_RATE，多进程时用 REDIS_URL 共享。',
    },
  },
  shared_rate_away: {
    error: 7,
    reason: {
      en: 'Redis does not answer as it should: each process keeps its own share of SEND_RATE.',
      zh: 'Redis 不可用：各进程只按自己的份额遵守 SEND_RATE。',
    },
    fix: {
      en: 'Check REDIS_URL, its user and password, and that Redis is running.',
      zh: '检查 REDIS_URL 及其用户和密码，并确认 Redis 正在运行。',
    },
  },
  clocks_differ: {
    error: 7,
    reason: {
      en: 'The clocks of this machine and of the database differ.',
      zh: '本机与数据库的时钟不一致。',
    },
    fix: { en: 'Set the clocks of both machines by NTP.', zh: '用 NTP 校准两台机器的时钟。' },
  },
  quota_used_up: {
    error: 0,
    reason: {
      en: 'Today’s quota of the API is used up.',
      zh: '今日接口额度已用完。',
    },
    fix: {
      en: 'Reset it in the WeChat console and run remind, or wait for the next day: permits are kept.',
      zh: '在微信后台清零额度后执行 remind，或等到次日：凭证都保留。',
    },
  },
  account_restricted: {
    error: 0,
    reason: {
      en: 'The account or the template is restricted or banned, or may not use this API.',
      zh: '账号或模板被限制、封禁，或没有该接口权限。',
    },
    fix: {
      en: 'Read the notices in the WeChat console; sending on makes the penalty worse.',
      zh: '查看微信后台的通知；继续发送会加重处罚。',
    },
  },
  channel_withdrawn: {
    error: 0,
    reason: { en: 'WeChat has withdrawn this API.', zh: '微信已下线该接口。' },
    fix: {
      en: 'Move to WX_CHANNEL=subscribe; nothing more can be sent through this one.',
      zh: '改用 WX_CHANNEL=subscribe，该接口无法再发送。',
    },
  },
})

export type FindingName = keyof typeof KNOWN_ERRORS
