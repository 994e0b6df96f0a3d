import { type Static, Type } from 'typebox'
import type { AccountOptions } from './accounts.js'
import { closed, Name } from './control-schemas.js'

const Channel = Type.Enum(['form_id', 'subscribe', 'official'])
const Names = Type.Array(Name)

const Template = closed({
  template_id: Name,
  keys: Type.Optional(Names),
  content: Type.Optional(Type.String()),
  title: Type.Optional(Name),
  example: Type.Optional(Type.String()),
  type: Type.Optional(Type.Enum([2, 3])),
  enums: Type.Optional(Type.Record(Type.String(), Names)),
  channel: Type.Optional(Channel),
})

/** An account of the sandbox, as a file or a call names it. */
export const AccountJson = closed({
  app_id: Name,
  app_secret: Name,
  channel: Type.Optional(Channel),
  templates: Type.Optional(Type.Array(Template)),
  pages: Type.Optional(Names),
  linked_apps: Type.Optional(Names),
  ip_allowlist: Type.Optional(Names),
  secret_frozen: Type.Optional(Type.Boolean()),
})

export const AccountsJson = closed({ accounts: Type.Array(AccountJson, { minItems: 1 }) })

export function toAccountOptions(json: Static<typeof AccountJson>): AccountOptions {
  return {
    appId: json.app_id,
    secret: json.app_secret,
    channel: json.channel,
    templates:
      json.templates &&
      Object.fromEntries(json.templates.map(({ template_id, ...rest }) => [template_id, rest])),
    pages: json.pages,
    linkedApps: json.linked_apps,
    ipAllowlist: json.ip_allowlist,
    secretFrozen: json.secret_frozen,
  }
}
