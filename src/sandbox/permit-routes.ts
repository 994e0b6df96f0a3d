import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { SandboxControl } from './control.js'
import { closed, Name } from './control-schemas.js'
import { DELIVERY_FAILURES } from './people.js'

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

const SubscriptionRequest = closed({
  app_id: Type.Optional(Name),
  open_id: Name,
  template_ids: Type.Array(Name),
  answers: Type.Optional(Type.Record(Type.String(), Type.Enum(['accept', 'reject']))),
  always: Type.Optional(Type.Boolean()),
})

const People = closed({
  app_id: Type.Optional(Name),
  open_ids: Type.Array(Name),
  blacklisted: Type.Optional(Type.Boolean()),
  receives: Type.Optional(Type.Boolean()),
  fails: Type.Optional(Type.Union([Type.Enum([...DELIVERY_FAILURES]), Type.Null()])),
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

  /** wx.requestSubscribeMessage on one phone; the answer is what the client gets. */
  app.post('/subscription-requests', { schema: { body: SubscriptionRequest } }, ({ body }) =>
    control.requestSubscription({
      appId: body.app_id,
      openId: body.open_id,
      templateIds: body.template_ids,
      answers: body.answers,
      always: body.always,
    }),
  )

  app.put('/people', { schema: { body: People } }, ({ body }, reply) => {
    const { app_id: appId, open_ids, ...changes } = body
    for (const openId of open_ids) control.setPerson({ appId, openId, ...changes })
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
