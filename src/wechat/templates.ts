import type { Channel } from '../channel.js'
import type { Answer } from './answer.js'
import type { Auxiliary } from './auxiliary.js'
import type { WechatCall } from './client.js'

/** A template as the account has it in its console. */
export interface Template {
  id: string
  title: string
  /** The keys that its content has, in order. */
  keys: string[]
  /** 2 = for one-time subscriptions, 3 = for long-term ones; null where the list does not say. */
  type: number | null
  /** The values that WeChat takes for a key of an enumeration. */
  enums: Record<string, string[]>
}

/** A list, or in words of ours why there is none: no secret is among them. */
export type TemplateList = { kind: 'listed'; templates: Template[] } | { kind: 'not_had'; why: string }

/** The form_id list comes in pages of at most 20; an account has 25 templates, and this many pages are enough. */
const PAGE = 20
const MAX_PAGES = 10
const KEY = /\{\{\s*([A-Za-z_]\w*)\s*\.\s*DATA\s*\}\}/gi

/** The keys `{{key.DATA}}` of a template's content, in order, each once. */
export function keysOf(content: string): string[] {
  return [...new Set([...content.matchAll(KEY)].map(([, key = '']) => key))]
}

/**
 * Lists the account's templates of a channel, once: wxopen/template/list in pages (form_id), newtmpl/gettemplate
 * (subscribe), get_all_private_template (official). Takes at most twice the time of an auxiliary call.
 */
export async function listTemplates(
  auxiliary: Auxiliary,
  channel: Channel,
  signal: AbortSignal,
): Promise<TemplateList> {
  if (channel === 'subscribe')
    return listOnce(await auxiliary.ask(SUBSCRIBE_LIST, signal), 'data', toSubscribeTemplate)
  if (channel === 'official')
    return listOnce(await auxiliary.ask(OFFICIAL_LIST, signal), 'template_list', toTemplate)
  const templates: Template[] = []
  const began = performance.now()
  for (let page = 0; page < MAX_PAGES; page++) {
    const body = { offset: page * PAGE, count: PAGE }
    const answer = await auxiliary.ask(
      { method: 'POST', path: '/cgi-bin/wxopen/template/list', body },
      signal,
    )
    const items = itemsOf(answer, 'list')
    if (typeof items === 'string') return { kind: 'not_had', why: items }
    templates.push(...items.flatMap((item) => toTemplate(item) ?? []))
    if (items.length < PAGE) break
    if (performance.now() - began > auxiliary.timeoutMs) return { kind: 'not_had', why: 'too slow' }
  }
  return { kind: 'listed', templates }
}

const SUBSCRIBE_LIST: WechatCall = { method: 'GET', path: '/wxaapi/newtmpl/gettemplate' }
const OFFICIAL_LIST: WechatCall = { method: 'GET', path: '/cgi-bin/template/get_all_private_template' }

function listOnce(
  answer: Answer,
  field: string,
  read: (item: unknown) => Template | undefined,
): TemplateList {
  const items = itemsOf(answer, field)
  if (typeof items === 'string') return { kind: 'not_had', why: items }
  return { kind: 'listed', templates: items.flatMap((item) => read(item) ?? []) }
}

/** The list in an answer, or why there is none. */
function itemsOf(answer: Answer, field: string): unknown[] | string {
  if (answer.kind === 'refused') return `${answer.errcode} ${answer.entry.name}`
  if (answer.kind !== 'succeeded') return `${answer.kind}: ${answer.reason}`
  const items = answer.body[field]
  return Array.isArray(items) ? items : `no "${field}" in the answer`
}

/** An item without an id or a content is none that can be sent with. */
function toTemplate(item: unknown): Template | undefined {
  const { template_id: id, title, content } = recordOf(item)
  if (typeof id !== 'string' || typeof content !== 'string') return undefined
  return { id, title: textOf(title), keys: keysOf(content), type: null, enums: {} }
}

function toSubscribeTemplate(item: unknown): Template | undefined {
  const { priTmplId: id, title, content, type, keywordEnumValueList } = recordOf(item)
  if (typeof id !== 'string' || typeof content !== 'string') return undefined
  const enums = (Array.isArray(keywordEnumValueList) ? keywordEnumValueList : []).flatMap(toEnum)
  return {
    id,
    title: textOf(title),
    keys: keysOf(content),
    type: typeof type === 'number' ? type : null,
    enums: Object.fromEntries(enums),
  }
}

/** The code of a key comes as in the content, or as the whole `{{enum1.DATA}}`. */
function toEnum(item: unknown): [key: string, values: string[]][] {
  const { keywordCode, enumValueList } = recordOf(item)
  if (typeof keywordCode !== 'string' || !Array.isArray(enumValueList)) return []
  const values = enumValueList.filter((value) => typeof value === 'string')
  return [[keysOf(keywordCode)[0] ?? keywordCode.replace(/\.DATA$/i, ''), values]]
}

function recordOf(item: unknown): Record<string, unknown> {
  return typeof item === 'object' && item !== null ? (item as Record<string, unknown>) : {}
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
