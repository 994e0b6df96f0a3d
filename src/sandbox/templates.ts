import type { Channel } from '../channel.js'
import { ControlError } from './errors.js'

/** A template of an account. Its keys are those of `content`, or else `keys`, from which a content is made. */
export interface TemplateOptions {
  keys?: string[] | undefined
  title?: string | undefined
  /** As the lists show it: `提醒事项:{{thing1.DATA}}\n日期:{{date2.DATA}}\n`. */
  content?: string | undefined
  example?: string | undefined
  /** 2 = one-time, 3 = long-term; default 2. Only subscribe templates have one. */
  type?: 2 | 3 | undefined
  /** Key to the values that it may have. */
  enums?: Record<string, string[]> | undefined
  /** Whose template it is; default: the account's, and without one everybody's. */
  channel?: Channel | undefined
}

export interface Template extends TemplateOptions {
  id: string
  keys: string[]
  title: string
  content: string
  example: string
  type: 2 | 3
}

/** @throws ControlError if it names neither keys nor content. */
export function toTemplate(
  id: string,
  options: readonly string[] | TemplateOptions,
  channel: Channel | undefined,
): Template {
  const given: TemplateOptions = isKeys(options) ? { keys: [...options] } : options
  const keys = given.content === undefined ? given.keys : keysOf(given.content)
  if (!keys) throw new ControlError(`template ${id} needs keys or content`)
  return {
    id,
    channel: given.channel ?? channel,
    keys,
    title: given.title ?? id,
    content: given.content ?? keys.map((key) => `${key}:{{${key}.DATA}}\n`).join(''),
    example: given.example ?? keys.map((key) => `${key}:${key}\n`).join(''),
    type: given.type ?? 2,
    enums: given.enums,
  }
}

function isKeys(options: readonly string[] | TemplateOptions): options is readonly string[] {
  return Array.isArray(options)
}

function keysOf(content: string): string[] {
  return [...content.matchAll(/\{\{\s*(\w+)\.DATA\s*\}\}/g)].map(([, key = '']) => key)
}
