import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { SandboxControl } from './control.js'
import { closed, Name } from './control-schemas.js'
import { FaultSpec } from './faults.js'

const OneFault = closed({ id: Name })

export const faultRoutes: FastifyPluginAsyncTypebox<{ control: SandboxControl }> = async (
  app,
  { control },
) => {
  app.get('/faults', () => ({ faults: control.faults() }))

  app.post('/faults', { schema: { body: FaultSpec } }, ({ body }, reply) =>
    reply.code(201).send({ id: control.addFault(body) }),
  )

  app.delete('/faults', (_request, reply) => {
    control.clearFaults()
    return reply.code(204).send()
  })

  app.delete('/faults/:id', { schema: { params: OneFault } }, ({ params }, reply) =>
    reply.code(control.removeFault(params.id) ? 204 : 404).send(),
  )
}
