import type { Account } from '../account.js'
import { type BusinessDate, toIsoDate } from '../lib/business-date.js'
import { type UserId, userIdToJson } from '../lib/user-id.js'
import { alternativesOf, reminderRenderer } from '../messages/text.js'
import type { TemplateData } from '../wechat/messages.js'
import { opensOnTap, tapSettings } from './tap.js'

/** What the reminder of a day would say. The answer of the command; asks WeChat for nothing. */
export interface Preview {
  date: string
  channel: Account['channel']
  template_id: string
  /** The page of a mini-program that a tap opens; null = none, and always on `official`. */
  page: string | null
  /** What a tap on a message of a service account opens. */
  jump: { url: string | null; miniprogram: { appid: string; pagepath: string } | null }
  /** Either, for people to read; null = a tap opens nothing. */
  opens: string | null
  samples: Sample[]
  user: (Sample & { user_id: number | string }) | null
  notes: Note[]
}

export interface Sample {
  streak: number
  data: TemplateData
}

/** Something that is no fault, and that users will notice. */
export interface Note {
  name: 'cannot_be_tapped' | 'says_zero' | 'old_key' | 'no_template'
  detail: string
  detail_zh: string
}

/** Nobody, a beginner, and somebody with a week behind them. */
const SAMPLE_STREAKS = [0, 1, 7]

/** `user`: somebody to say it to, with the streak that he or she comes to that day with. */
export function previewReminder(
  account: Account,
  date: BusinessDate,
  user?: { userId: UserId; streak: number },
): Preview {
  const { channel, templateId, page, url, miniprogram, data } = account
  const render = reminderRenderer(data, date)
  const sampleOf = (streak: number): Sample => ({ streak, data: render(streak) })
  const isOfficial = channel === 'official'
  return {
    date: toIsoDate(date),
    channel,
    template_id: templateId,
    page: isOfficial || page === '' ? null : page,
    jump: isOfficial
      ? { url: url === '' ? null : url, miniprogram: miniprogram ?? null }
      : { url: null, miniprogram: null },
    opens: opensOnTap(account) ?? null,
    samples: SAMPLE_STREAKS.map(sampleOf),
    user: user ? { user_id: userIdToJson(user.userId), ...sampleOf(user.streak) } : null,
    notes: notesOn(account),
  }
}

function notesOn(account: Account): Note[] {
  const { channel, templateId, data } = account
  const notes: Note[] = []
  if (opensOnTap(account) === undefined)
    notes.push({
      name: 'cannot_be_tapped',
      detail: `A tap opens nothing: set ${tapSettings(channel).join(' or ')}.`,
      detail_zh: `点击无反应：请设置 ${tapSettings(channel).join(' 或 ')}。`,
    })
  if (templateId === '')
    notes.push({
      name: 'no_template',
      detail: 'Nothing is sent without a template: set REMINDER_TEMPLATE_ID.',
      detail_zh: '没有模板就不会发送：请设置 REMINDER_TEMPLATE_ID。',
    })
  for (const [key, value] of Object.entries(data)) {
    if (alternativesOf(value).at(-1)?.text.includes('{streak}'))
      notes.push({
        name: 'says_zero',
        detail: `${key} says "0" to users whose streak is broken: end it with an alternative without {streak}.`,
        detail_zh: `${key} 会对断签的用户说“0”：请在最后加一条不含 {streak} 的文案。`,
      })
    if (channel === 'subscribe' && /^(keyword\d+|first|remark)$/.test(key))
      notes.push({
        name: 'old_key',
        detail: `${key} is a key of the old templates; those of subscribe messages are named by their type, such as thing1.`,
        detail_zh: `${key} 是旧模板的字段；订阅消息的字段以类型命名，如 thing1。`,
      })
  }
  return notes
}
