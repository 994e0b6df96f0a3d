import type { Bilingual } from '../lib/bilingual.js'
import { permitMark } from '../lib/permit-mark.js'
import { maskOpenId } from '../lib/redact.js'
import { userIdToJson } from '../lib/user-id.js'
import { causeOf } from '../messages/cause.js'
import { type HeldMessage, traceIdOf } from '../messages/message.js'
import type { StandingOfMessage } from '../messages/single-store.js'
import { errcodeOf, httpStatusEntry } from '../wechat/errcodes.js'
import type { TemplateData } from '../wechat/messages.js'
import { WITHOUT_CODE } from './what-to-do.js'

/** What became of a test message. The answer of the command. */
export interface SentTest {
  message_id: number
  state: StandingOfMessage['state']
  /** Masked. */
  open_id: string
  user_id: number | string
  /** The permit that it took; null on a service account. `mark` names a form_id without showing it. */
  permit: { id: number; source: string | null; mark: string } | null
  /** The permit that it went out with in the end, where WeChat refused the first as spoiled. */
  replaced_by: number | null
  template_id: string
  data: TemplateData
  errcode: number | null
  name: string | null
  errmsg: string | null
  rid: string | null
  msgid: string | null
  meaning: string
  meaning_zh: string
  what_to_do: string
  what_to_do_zh: string
  trace_id: string
}

/** What to tell of a test message that was claimed like this and stands like that now. */
export function answerOf(message: HeldMessage, standing: StandingOfMessage): SentTest {
  const { id, openId, userId, permitId, permitSource, formId, templateId, data } = message
  const { state, errcode, errmsg, rid, msgid } = standing
  const { name, meaning } = explained(standing)
  const next = whatToDo(state, permitId !== null)
  return {
    message_id: id,
    state,
    open_id: maskOpenId(openId),
    user_id: userIdToJson(userId),
    permit: permitId === null ? null : { id: permitId, source: permitSource, mark: permitMark(formId) },
    replaced_by: standing.permit_id === permitId ? null : standing.permit_id,
    template_id: templateId,
    data,
    errcode,
    name,
    errmsg,
    rid,
    msgid,
    meaning: meaning.en,
    meaning_zh: meaning.zh,
    what_to_do: next.en,
    what_to_do_zh: next.zh,
    trace_id: traceIdOf(id),
  }
}

function explained({ state, ...answer }: StandingOfMessage): { name: string | null; meaning: Bilingual } {
  const { errcode } = answer
  if (errcode !== null) {
    const { name, meaning, meaning_zh } = httpStatusEntry(errcode) ?? errcodeOf(errcode)
    return { name, meaning: { en: meaning, zh: meaning_zh } }
  }
  if (state === 'delivered') return { name: null, meaning: { en: 'WeChat accepted it.', zh: '微信已接收。' } }
  return { name: null, meaning: WITHOUT_CODE[causeOf(answer) || 'other'].meaning }
}

/** What to do. */
const NEXT: Record<StandingOfMessage['state'], Bilingual> = {
  delivered: { en: 'Look for the card in WeChat, under 服务通知.', zh: '请在微信的“服务通知”里查看卡片。' },
  failed: {
    en: 'It was not delivered. Set right what the meaning names.',
    zh: '未送达。请按含义所述处理。',
  },
  cancelled: {
    en: 'It was not delivered. Set right what the meaning names, then send it again.',
    zh: '未送达。按含义所述处理后再发一次。',
  },
  unknown: {
    en: 'It may have been delivered: look into WeChat before you send another.',
    zh: '可能已送达：再发之前请先到微信里看看。',
  },
  retry: {
    en: 'It may have been delivered. serve or recover will ask WeChat again.',
    zh: '可能已送达。serve 或 recover 会再次询问微信。',
  },
  queued: {
    en: 'It has not left yet: serve or recover will send it.',
    zh: '尚未发出：serve 或 recover 会发送。',
  },
  sending: {
    en: 'It is in doubt: serve or recover will settle it.',
    zh: '结果未知：serve 或 recover 会核实。',
  },
}

const SPENT: Bilingual = { en: 'The permit is spent.', zh: '凭证已用。' }
const KEPT: Bilingual = { en: 'It keeps its permit.', zh: '凭证不变。' }

/** Where the permit is. */
const PERMIT: Record<StandingOfMessage['state'], Bilingual> = {
  delivered: SPENT,
  failed: {
    en: 'The permit stays spent, for WeChat counts it as used; another try takes a new one.',
    zh: '微信视该凭证为已用，故不退还；再试需要新的凭证。',
  },
  cancelled: { en: 'The permit has been given back.', zh: '凭证已退还。' },
  unknown: SPENT,
  retry: KEPT,
  queued: KEPT,
  sending: KEPT,
}

function whatToDo(state: StandingOfMessage['state'], hasPermit: boolean): Bilingual {
  const next = NEXT[state]
  if (!hasPermit) return next
  return { en: `${next.en} ${PERMIT[state].en}`, zh: next.zh + PERMIT[state].zh }
}
