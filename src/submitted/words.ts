import type { Bilingual } from '../lib/bilingual.js'
import { isoTime } from '../lib/iso-time.js'
import { errcodeOf, httpStatusEntry } from '../wechat/errcodes.js'
import type { State } from './schemas.js'
import type { SubmittedRow } from './status-store.js'

/** What a state means, and what to do about it: in one sentence or two for whoever submitted the message. */
export function explainState(row: SubmittedRow, state: State): Bilingual {
  const { en, zh } = STATE_WORDS[state](row)
  const answer = state === 'delivered' || state === 'no_permit' ? undefined : answerOf(row)
  return answer ? { en: `${en} ${answer.en}`, zh: `${zh}${answer.zh}` } : { en, zh }
}

function answerOf({ errcode, errmsg }: SubmittedRow): Bilingual | undefined {
  if (errcode !== null) {
    const { name, meaning, meaning_zh } = httpStatusEntry(errcode) ?? errcodeOf(errcode)
    return {
      en: `WeChat's last answer: ${errcode} ${name}. ${meaning}`,
      zh: `微信最后的应答：${errcode} ${name}，${meaning_zh}。`,
    }
  }
  return errmsg === null ? undefined : { en: `Last: ${errmsg}.`, zh: `最近一次：${errmsg}。` }
}

const at = (ms: number | null): string => (ms === null ? '' : (isoTime(ms) ?? ''))

const STATE_WORDS: Record<State, (row: SubmittedRow) => Bilingual> = {
  queued: ({ next_attempt_at, not_before }) => ({
    en: `It waits in the queue, from ${at(next_attempt_at ?? not_before)} on, and holds its permit.`,
    zh: `在排队，最早 ${at(next_attempt_at ?? not_before)} 发送，凭证已为它保留。`,
  }),
  sending: () => ({ en: 'It is being sent.', zh: '正在发送。' }),
  retry: ({ next_attempt_at, attempts }) => ({
    en: `It is tried again at ${at(next_attempt_at)}, after ${attempts} attempts, with the same permit.`,
    zh: `已尝试 ${attempts} 次，将于 ${at(next_attempt_at)} 用同一张凭证重试。`,
  }),
  delivered: ({ delivery_status }) => {
    if (delivery_status === null) return { en: 'WeChat accepted it.', zh: '微信已接收。' }
    return {
      en: `WeChat accepted it, and reported: ${delivery_status}.`,
      zh: `微信已接收，送达回报：${delivery_status}。`,
    }
  },
  failed: () => ({
    en: 'WeChat refused it for this user. Its permit is spent; it is not tried again.',
    zh: '微信拒绝向该用户发送。凭证已用掉，不再重试。',
  }),
  unknown: () => ({
    en: 'It may have been delivered. It is not tried again, so that nobody gets it twice.',
    zh: '可能已送达。为免重复，不再重试。',
  }),
  cancelled: () => ({
    en: 'It was cancelled, and its permit given back.',
    zh: '已取消，凭证已退还。',
  }),
  no_permit: () => ({
    en: 'The user had no permit that would be valid at that time. Ask the user for one, then submit the message again.',
    zh: '用户没有届时有效的凭证。请先让用户授权，再重新提交。',
  }),
  expired: ({ not_after }) => ({
    en: `It had not left by ${at(not_after)} (not_after), and its permit was given back.`,
    zh: `到 ${at(not_after)}（not_after）仍未发出，凭证已退还。`,
  }),
  dead: () => ({
    en: 'It has used up its attempts, and its permit was given back. Mend what is wrong, then queue it again: POST /v1/messages/{id}/requeue.',
    zh: '尝试次数已用完，凭证已退还。解决问题后可重新排队：POST /v1/messages/{id}/requeue。',
  }),
}
