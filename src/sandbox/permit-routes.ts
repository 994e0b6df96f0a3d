import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { SandboxControl } from './control.js'
import { closed, Name } from './control-schemas.js'

const At = Type.Optional(Type.Integer({ minimum: 0 }))

const FormIds = closed({
  app_id: Type.Optional(Name),
  items: Type.Array(closed({ open_id: Name, form_id: Type.Optional(Name), at: At })),
})

const PrepayIds = closed({
  app_id: Type.Optional(Name),
  items: Type.Array(closed({ open_id: Name, at: At })),
})

const Subscriptions = closed({
  app_id: Type.Optional(Name),
  template_id: Name,
  items: Type.Array(closed({ open_id: Name, count: Type.Optional(Type.Integer({ minimum: 1 })) })),
})

const Followers = closed({
  app_id: Type.Optional(Name),
  open_ids: Type.Array(Name),
  follows: Type.Optional(Type.Boolean()),
})

/** What users do in the mini-program or with the service account, in bulk. */
export const grantRoutes: FastifyPluginAsyncTypebox<{ control: SandboxControl }> = async (
  app,
  { control },
) => {
  /** An item with a form_id registers it; one without gets a new one. */
  app.post('/form-ids', { schema: { body: FormIds } }, ({ body }) => {
    const form_ids = body.items.map(({ open_id: openId, form_id: formId, at }) => {
      if (formId === undefined) return control.issueFormId({ appId: body.app_id, openId, at })
      control.registerFormId({ appId: body.app_id, openId, formId, at })
      return formId
    })
    return { form_ids }
  })

  app.post('/prepay-ids', { schema: { body: PrepayIds } }, ({ body }) => ({
    prepay_ids: body.items.map(({ open_id: openId, at }) =>
      control.issuePrepayId({ appId: body.app_id, openId, at }),
    ),
  }))

  app.post('/subscriptions', { schema: { body: Subscriptions } }, ({ body }, reply) => {
    const { app_id: appId, template_id: templateId } = body
    for (const { open_id: openId, count } of body.items) {
      control.grantSubscription({ appId, openId, templateId, count })
    }
    return reply.code(204).send()
  })

  app.post('/followers', { schema: { body: Followers } }, ({ body }, reply) => {
    for (const openId of body.open_ids) {
      const person = { appId: body.app_id, openId }
      if (body.follows === false) control.unfollow(person)
      else control.follow(person)
    }
    return reply.code(204).send()
  })
}
