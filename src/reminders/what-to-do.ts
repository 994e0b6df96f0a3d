import type { Bilingual } from '../lib/bilingual.js'
import type { Cause } from '../messages/cause.js'
import type { AnswerClass } from '../messages/policy.js'

/** What to do about messages that were answered like this. What a single code means is in wechat/errcodes.ts. */
export const WHAT_TO_DO: Record<AnswerClass, Bilingual> = {
  ok: { en: 'Nothing.', zh: '无需处理。' },
  duplicate: { en: 'Nothing: WeChat has the message.', zh: '无需处理：微信已收到该消息。' },
  transient: {
    en: 'Nothing: it is tried again by itself. If it lasts, lower SEND_RATE.',
    zh: '无需处理，会自动重试。如果持续出现，请调低 SEND_RATE。',
  },
  unreachable: {
    en: 'It is tried again by itself. If it lasts, check the network and proxies of this machine and WX_API_BASE_URL.',
    zh: '会自动重试。如果持续出现，请检查本机网络、代理和 WX_API_BASE_URL。',
  },
  ambiguous: {
    en: 'It is repeated where that cannot deliver twice. If there are many, check the network and proxies of this machine.',
    zh: '在不会重复送达的前提下自动重试。如果很多，请检查本机网络和代理。',
  },
  dead_permit: {
    en: 'Nothing for a few: the next permit is taken. If there are many, look how form_ids are uploaded: too late without submitted_at, twice, or with the wrong open_id.',
    zh: '少量无需处理，会改用下一个凭证。如果很多，请检查 form_id 的上传：是否太晚且没带 submitted_at、是否重复、openid 是否有误。',
  },
  person_limit: {
    en: 'Nothing: it is tried again an hour later. If there are many, send these people less.',
    zh: '无需处理，一小时后自动重试。如果很多，请减少给这些用户的消息。',
  },
  user: {
    en: 'Nothing: it is the wish or the state of the user. If there are suddenly many, find out why before the next run.',
    zh: '无需处理，这是用户本人的意愿或状态。如果突然很多，请在下次任务前查明原因。',
  },
  token: {
    en: 'Check WX_APP_ID and WX_APP_SECRET, and that no other program fetches tokens for this account, then run remind.',
    zh: '检查 WX_APP_ID 和 WX_APP_SECRET，并确认没有其他程序获取该账号的 token，然后执行 remind。',
  },
  configuration: {
    en: 'Set right what the meaning names, then run remind: the permits have been given back.',
    zh: '按含义所述改正，然后执行 remind：凭证都已退还。',
  },
  quota: {
    en: 'Reset the quota in the WeChat console and run remind, or wait for tomorrow.',
    zh: '在微信后台清零额度后执行 remind，或等到明天。',
  },
  unknown: {
    en: 'Look up a sample rid in the WeChat console within seven days.',
    zh: '7 天内用样例 rid 到微信后台查询。',
  },
}

/** The same for messages that ended without a code of WeChat. */
export const WITHOUT_CODE: Record<Cause, { meaning: Bilingual; whatToDo: Bilingual }> = {
  unreachable: {
    meaning: { en: 'WeChat could not be reached, so nothing was sent.', zh: '无法连接微信，消息没有发出。' },
    whatToDo: WHAT_TO_DO.unreachable,
  },
  ambiguous: {
    meaning: {
      en: 'The request left and was not answered clearly: the message may have been delivered.',
      zh: '请求已发出但没有得到明确应答，消息可能已送达。',
    },
    whatToDo: WHAT_TO_DO.ambiguous,
  },
  not_sent: {
    meaning: {
      en: 'Given back before it was sent: the run stopped, its window closed, or the user had signed in or opted out.',
      zh: '发送前已退还：任务停止、发送时段结束，或用户已签到、已退订。',
    },
    whatToDo: { en: 'Nothing: the permits are back.', zh: '无需处理：凭证都已退还。' },
  },
  interrupted: {
    meaning: {
      en: 'The process ended while the request was under way, and sending again could deliver twice.',
      zh: '请求发出时进程中断，重发可能会送达两次。',
    },
    whatToDo: {
      en: 'Nothing: it is not repeated, and its permit stays spent. Find out why the process ended.',
      zh: '无需处理：不会重发，凭证视为已用。请查明进程为何中断。',
    },
  },
  restored: {
    meaning: {
      en: 'A dump was put back: it may have been sent after the dump was taken.',
      zh: '数据库从备份恢复，备份之后可能已发送。',
    },
    whatToDo: { en: 'Nothing.', zh: '无需处理。' },
  },
  other: {
    meaning: {
      en: 'Ended without a code of WeChat; the message has its errmsg.',
      zh: '没有微信错误码，见该消息的 errmsg。',
    },
    whatToDo: { en: 'Look at errmsg of a sample message.', zh: '查看样例消息的 errmsg。' },
  },
}
