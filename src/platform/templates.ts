import type { Knex } from 'knex'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Channel } from '../channel.js'
import { listTemplates, type Template } from '../wechat/templates.js'
import { askOnce, type PlatformDeps } from './kept.js'
import { findKept, type KeptRow } from './store.js'

/** The templates of an account on a channel, as WeChat listed them last. */
export interface TemplateListing {
  /** undefined: there is no list. */
  templates: Template[] | undefined
  /** When it was had, in ms. */
  listedAt: number | null
  /** Why the last question brought none; null if it brought this list. */
  failure: string | null
}

const Templates = Compile(
  Type.Array(
    Type.Object({
      id: Type.String(),
      title: Type.String(),
      keys: Type.Array(Type.String()),
      type: Type.Union([Type.Number(), Type.Null()]),
      enums: Type.Record(Type.String(), Type.Array(Type.String())),
    }),
  ),
)

/**
 * Lists the templates, asking WeChat only if what is kept will not do. Bounded in time, see askOnce. `isNew`: WeChat was
 * asked since this call began.
 */
export async function findTemplates(
  deps: PlatformDeps,
  { appId, channel }: { appId: string; channel: Channel },
  { askedFor = '', isFresh }: { askedFor?: string; isFresh(kept: KeptRow): boolean },
  signal: AbortSignal,
): Promise<TemplateListing & { isNew: boolean }> {
  const kept = await askOnce(
    deps,
    {
      appId,
      subject: subjectOf(channel),
      askedFor,
      isFresh,
      async ask(until) {
        const list = await listTemplates(deps.auxiliary, channel, until)
        return list.kind === 'listed' ? { answer: JSON.stringify(list.templates) } : { failure: list.why }
      },
    },
    signal,
  )
  return { ...toListing(kept), isNew: kept.isNew }
}

/** The list as it is kept; nobody is asked. */
export async function keptTemplates(
  db: Knex,
  { appId, channel }: { appId: string; channel: Channel },
): Promise<TemplateListing> {
  return toListing(await findKept(db, { appId, subject: subjectOf(channel) }))
}

function subjectOf(channel: Channel): string {
  return `templates:${channel}`
}

function toListing(kept: KeptRow | undefined): TemplateListing {
  return {
    templates: kept?.answer == null ? undefined : parse(kept.answer),
    listedAt: kept?.answered_at ?? null,
    failure: kept?.failure ?? null,
  }
}

/** Somebody may have written into the row by hand. */
function parse(answer: string): Template[] | undefined {
  try {
    const templates: unknown = JSON.parse(answer)
    return Templates.Check(templates) ? templates : undefined
  } catch {
    return undefined
  }
}
