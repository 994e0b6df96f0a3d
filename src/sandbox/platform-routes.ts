import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { AccountJson, toAccountOptions } from './account-schema.js'
import type { SandboxControl } from './control.js'
import { closed, Name } from './control-schemas.js'

const Quotas = Type.Record(Type.String(), Type.Integer({ minimum: 0 }))

const Frequency = closed({ messages: Type.Integer({ minimum: 1 }), seconds: Type.Integer({ minimum: 1 }) })

const Settings = closed({
  retired: Type.Optional(Type.Boolean()),
  accept_unknown_form_ids: Type.Optional(Type.Boolean()),
  any_login_code: Type.Optional(Type.Union([Type.Boolean(), Name])),
  daily_quotas: Type.Optional(Quotas),
  minute_quotas: Type.Optional(Quotas),
  frequency: Type.Optional(Type.Union([Frequency, Type.Null()])),
})

const Bans = closed({
  app_id: Type.Optional(Name),
  template_ids: Type.Optional(Type.Array(Name)),
  banned: Type.Optional(Type.Boolean()),
})

/** What the platform and the console decide: accounts, limits, bans. */
export const platformRoutes: FastifyPluginAsyncTypebox<{ control: SandboxControl }> = async (
  app,
  { control },
) => {
  app.put('/settings', { schema: { body: Settings } }, ({ body }, reply) => {
    control.configure({
      retired: body.retired,
      acceptUnknownFormIds: body.accept_unknown_form_ids,
      anyLoginCode: body.any_login_code,
      dailyQuotas: body.daily_quotas,
      minuteQuotas: body.minute_quotas,
      frequency: body.frequency,
    })
    return reply.code(204).send()
  })

  app.get('/accounts', () => ({ accounts: control.accounts() }))

  app.put('/accounts', { schema: { body: AccountJson } }, ({ body }, reply) => {
    control.putAccount(toAccountOptions(body))
    return reply.code(204).send()
  })

  /** Without templates: the account's subscribe messages as a whole. */
  app.post('/bans', { schema: { body: Bans } }, ({ body }, reply) => {
    const { app_id: appId, banned, template_ids = [undefined] } = body
    for (const templateId of template_ids) control.ban({ appId, templateId, banned })
    return reply.code(204).send()
  })
}
