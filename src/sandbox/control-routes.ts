import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { SandboxControl } from './control.js'
import { closed, Name } from './control-schemas.js'
import { faultRoutes } from './fault-routes.js'
import { ledgerRoutes } from './ledger-routes.js'
import { loginRoutes } from './login-routes.js'
import { grantRoutes } from './permit-routes.js'
import { platformRoutes } from './platform-routes.js'
import { pushRoutes } from './push-routes.js'

const AdvanceClock = closed({ advance_ms: Type.Integer() })

const KillTokens = closed({ app_id: Type.Optional(Name) })

/** The control plane: JSON under /sandbox/ for the person who runs this WeChat. It asks for no password. */
export const controlRoutes: FastifyPluginAsyncTypebox<{ control: SandboxControl }> = async (
  app,
  { control },
) => {
  // Browsers send this header with requests from somebody else's page: such a page must not control this
  // WeChat.
  app.addHook('onRequest', async (request, reply) => {
    if (request.headers.origin === undefined) return
    return reply.code(403).send({ error: 'The control plane is not for web pages: send no Origin header' })
  })

  app.get('/stats', () => control.stats())

  app.post('/reset', () => {
    control.reset()
    return control.stats()
  })

  app.post('/clock', { schema: { body: AdvanceClock } }, ({ body }) => {
    control.advanceClock(body.advance_ms)
    return { now: control.now() }
  })

  app.post('/tokens/kill', { schema: { body: KillTokens } }, ({ body }) => ({
    killed: control.killTokens(body.app_id),
  }))

  await app.register(platformRoutes, { control })
  await app.register(grantRoutes, { control })
  await app.register(loginRoutes, { control })
  await app.register(faultRoutes, { control })
  await app.register(pushRoutes, { control })
  await app.register(ledgerRoutes, { control })
}
