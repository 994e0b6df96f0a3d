import type { Account } from '../account.js'
import type { FindingName } from '../findings/catalogue.js'
import { KNOWN_ERRORS } from '../findings/catalogue.js'
import { type Finding, toFinding } from '../findings/finding.js'
import type { Bilingual } from '../lib/bilingual.js'
import { alternativesOf, PLACEHOLDER } from '../messages/text.js'
import type { Template } from '../wechat/templates.js'

/** What the reminder of an account is made of. */
export type Reminder = Pick<
  Account,
  'appId' | 'channel' | 'templateId' | 'data' | 'page' | 'url' | 'miniprogram'
>

/** WeChat's types of subscribe templates: 2 = one-time, 3 = long-term. */
const LONG_TERM = 3
/** Old templates of service accounts list them, and WeChat has shown neither since 2023. */
const NO_LONGER_SHOWN = new Set(['first', 'remark'])
const SHOWN_TITLES = 5

/**
 * Compares the reminder with the account's list of templates: a finding for each thing looked at. `elsewhere` is the list
 * of the account's other product, if it was asked for, to tell an id of that one from an id of another account.
 */
export function examineTemplate(
  reminder: Reminder,
  templates: readonly Template[],
  elsewhere: readonly Template[] = [],
): Finding[] {
  const template = templates.find(({ id }) => id === reminder.templateId)
  if (!template) return [missing(reminder, templates, elsewhere)]
  return [
    toFinding('template', 'ok', {
      en: `"${template.title}" is a template of ${reminder.appId}`,
      zh: `“${template.title}”是 ${reminder.appId} 的模板`,
    }),
    examineKeys(reminder, template),
    ...(reminder.channel === 'subscribe' ? [examineType(template)] : []),
    ...examineEnums(reminder, template),
  ]
}

function missing(
  { appId, templateId, channel }: Reminder,
  templates: readonly Template[],
  elsewhere: readonly Template[],
): Finding {
  const other = elsewhere.find(({ id }) => id === templateId)
  if (other)
    return failed('template', 'template_of_other_product', {
      en: `Template ${templateId} ("${other.title}") is not one of channel ${channel}: the account has it for another kind of message.`,
      zh: `模板 ${templateId}（“${other.title}”）不属于渠道 ${channel}，而是该账号另一种消息的模板。`,
    })
  const titles = templates.slice(0, SHOWN_TITLES).map(({ id, title }) => `${title} (${id})`)
  const more = templates.length > SHOWN_TITLES ? ', …' : ''
  return failed('template', 'template_not_of_account', {
    en: `Account ${appId} has no template ${templateId}. It has ${titles.length === 0 ? 'none' : titles.join(', ') + more}.`,
    zh: `账号 ${appId} 没有模板 ${templateId}，它有：${titles.length === 0 ? '无' : titles.join(', ') + more}。`,
  })
}

function examineKeys({ data, channel }: Reminder, { keys }: Template): Finding {
  const name = 'template_keys'
  const isNeeded = (key: string): boolean => !(channel === 'official' && NO_LONGER_SHOWN.has(key))
  const lacking = keys.filter((key) => !(key in data) && isNeeded(key))
  const surplus = Object.keys(data).filter((key) => !keys.includes(key))
  if (lacking.length === 0 && surplus.length === 0)
    return toFinding(name, 'ok', { en: keys.join(', '), zh: keys.join('、') })
  return failed(name, 'data_keys_differ', {
    en: [
      ...(lacking.length === 0 ? [] : [`REMINDER_DATA lacks ${lacking.join(', ')}.`]),
      ...(surplus.length === 0 ? [] : [`The template has no ${surplus.join(', ')}.`]),
      `Its keys are ${keys.join(', ') || 'none'}.`,
    ].join(' '),
    zh: [
      ...(lacking.length === 0 ? [] : [`REMINDER_DATA 缺少 ${lacking.join('、')}。`]),
      ...(surplus.length === 0 ? [] : [`模板没有 ${surplus.join('、')}。`]),
      `模板的字段：${keys.join('、') || '无'}。`,
    ].join(''),
  })
}

function examineType({ type }: Template): Finding {
  const name = 'template_type'
  if (type === LONG_TERM)
    return failed(name, 'template_of_other_type', KNOWN_ERRORS.template_of_other_type.reason)
  return toFinding(name, 'ok', { en: 'for one-time subscriptions', zh: '一次性订阅' })
}

/** Texts without placeholders: what these stand for is not known before. The rules of types are held at the start. */
function examineEnums({ data }: Reminder, { enums }: Template): Finding[] {
  return Object.entries(enums).flatMap(([key, values]) => {
    const wrong = textsOf(data[key]).filter((text) => !values.includes(text))
    if (wrong.length === 0 || values.length === 0) return []
    return [
      failed('template_enums', 'data_not_in_enum', {
        en: `"${wrong[0]}" is no value of ${key}. It may be ${values.join(', ')}.`,
        zh: `“${wrong[0]}”不是 ${key} 的枚举值，可用：${values.join('、')}。`,
      }),
    ]
  })
}

function textsOf(value: Reminder['data'][string] | undefined): string[] {
  const texts = value === undefined ? [] : alternativesOf(value).map(({ text }) => text)
  return texts.filter((text) => text.search(PLACEHOLDER) < 0)
}

/** Whether a tap on the reminder opens something. Which pages are released, only sending tells. */
export function examinePage({ channel, page, url, miniprogram }: Reminder): Finding {
  const target = channel === 'official' ? miniprogram?.pagepath || miniprogram?.appid || url : page
  if (target !== '') return toFinding('page', 'ok', { en: target, zh: target })
  const { reason, fix } = KNOWN_ERRORS.page_missing
  return toFinding('page', 'warn', reason, { fix, finding: 'page_missing' })
}

function failed(name: string, finding: FindingName, reason: Bilingual): Finding {
  return toFinding(name, 'fail', reason, { fix: KNOWN_ERRORS[finding].fix, finding })
}
