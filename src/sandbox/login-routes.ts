import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { SandboxControl } from './control.js'
import { closed, Name } from './control-schemas.js'

const LoginCode = closed({
  app_id: Type.Optional(Name),
  open_id: Name,
  union_id: Type.Optional(Name),
  at: Type.Optional(Type.Integer({ minimum: 0 })),
})

const HighRisk = closed({
  app_id: Type.Optional(Name),
  open_ids: Type.Array(Name),
  high_risk: Type.Optional(Type.Boolean()),
})

/** What wx.login does in the mini-program, and whom the platform blocks from it. */
export const loginRoutes: FastifyPluginAsyncTypebox<{ control: SandboxControl }> = async (
  app,
  { control },
) => {
  app.post('/login-codes', { schema: { body: LoginCode } }, ({ body }) => ({
    code: control.issueLoginCode({
      appId: body.app_id,
      openId: body.open_id,
      unionId: body.union_id,
      at: body.at,
    }),
  }))

  app.post('/high-risk', { schema: { body: HighRisk } }, ({ body }, reply) => {
    for (const openId of body.open_ids)
      control.markHighRisk({ appId: body.app_id, openId, highRisk: body.high_risk })
    return reply.code(204).send()
  })
}
