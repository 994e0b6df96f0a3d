import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { SandboxControl } from './control.js'
import { closed } from './control-schemas.js'

const Page = closed({
  after: Type.Integer({ minimum: 0, default: 0 }),
  limit: Type.Integer({ minimum: 1, maximum: 10_000, default: 1000 }),
})

const Day = closed({ date: Type.Optional(Type.Integer({ minimum: 19700101, maximum: 99991231 })) })

export const ledgerRoutes: FastifyPluginAsyncTypebox<{ control: SandboxControl }> = async (
  app,
  { control },
) => {
  /** `next` is the `after` of the next page, null after the last delivery. */
  app.get('/ledger', { schema: { querystring: Page } }, ({ query }) => {
    const deliveries = control.ledger(query)
    const last = deliveries.at(-1)
    return { deliveries, next: deliveries.length === query.limit && last ? last.seq : null }
  })

  app.get('/summary', { schema: { querystring: Day } }, ({ query }) => control.summary(query.date))
}
