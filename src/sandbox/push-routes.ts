import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { SandboxControl } from './control.js'
import { closed, Name } from './control-schemas.js'

const Mode = Type.Enum(['plain', 'compatible', 'safe'])
const Format = Type.Enum(['xml', 'json'])

const Callback = closed({
  app_id: Type.Optional(Name),
  url: Type.String({ pattern: '^https?://' }),
  token: Name,
  encoding_aes_key: Type.Optional(Type.String({ minLength: 43, maxLength: 43 })),
  mode: Mode,
  format: Type.Optional(Format),
  auto: Type.Optional(Type.Boolean()),
})

const Tap = closed({
  app_id: Type.Optional(Name),
  open_id: Name,
  answers: Type.Record(Type.String(), Type.Enum(['accept', 'reject'])),
})

const TurnOff = closed({ app_id: Type.Optional(Name), open_id: Name, template_ids: Type.Array(Name) })

const Push = closed({
  app_id: Type.Optional(Name),
  open_id: Name,
  event: Name,
  at: Type.Optional(Type.Integer({ minimum: 0 })),
  items: Type.Optional(Type.Array(Type.Record(Type.String(), Type.String()))),
  token: Type.Optional(Name),
})

/** Message push: where an account wants it, user actions that WeChat reports, and what was pushed. */
export const pushRoutes: FastifyPluginAsyncTypebox<{ control: SandboxControl }> = async (
  app,
  { control },
) => {
  app.put('/callback', { schema: { body: Callback } }, ({ body }, reply) => {
    control.configureCallback({
      appId: body.app_id,
      url: body.url,
      token: body.token,
      encodingAesKey: body.encoding_aes_key ?? '',
      mode: body.mode,
      format: body.format ?? 'json',
      auto: body.auto ?? true,
    })
    return reply.code(204).send()
  })

  app.post('/taps', { schema: { body: Tap } }, ({ body }, reply) => {
    control.tap({ appId: body.app_id, openId: body.open_id, answers: body.answers })
    return reply.code(204).send()
  })

  app.post('/turn-offs', { schema: { body: TurnOff } }, ({ body }, reply) => {
    control.turnOff({ appId: body.app_id, openId: body.open_id, templateIds: body.template_ids })
    return reply.code(204).send()
  })

  app.get('/pushes', () => ({ pushes: control.pushes() }))

  /** Any event, signed with another token if one is given. */
  app.post('/pushes', { schema: { body: Push } }, ({ body }, reply) => {
    const { app_id: appId, open_id: openId, event: name, at = control.now(), items = [], token } = body
    control.push({ appId, name, openId, at, items }, token === undefined ? {} : { token })
    return reply.code(204).send()
  })

  app.post('/pushes/send', async () => {
    await control.sendPushes()
    return { pushes: control.pushes() }
  })
}
