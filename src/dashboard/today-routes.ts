import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { AllPages } from './account-pages.js'
import type { DashboardDeps } from './deps.js'
import { sendPage } from './page.js'
import { planPage } from './plan-page.js'
import { languageOf } from './preferences.js'
import type { Reader } from './reader.js'
import { setPageHeaders } from './security.js'
import { findToday } from './today.js'
import { todayPage } from './today-page.js'
import { operatorOf } from './visit.js'

/** Today: the page, its live part, and the plan. */
export function todayRoutes(
  app: FastifyInstance,
  { db, now }: DashboardDeps,
  pages: AllPages,
  readerOf: (request: FastifyRequest) => Reader,
): void {
  app.get('/', { schema: { hide: true } }, async (request, reply) => {
    const reader = readerOf(request)
    return sendPage(reply, reader, todayPage(reader, await findToday(db, reader.account, now())))
  })

  app.get('/events', { schema: { hide: true } }, (request, reply) => {
    setPageHeaders(reply)
    // A proxy that gathers answers would show nothing until the end.
    reply.type('text/event-stream').header('X-Accel-Buffering', 'no')
    return reply.send(pages.of(request).live.open(languageOf(request), operatorOf(request).endsAt))
  })

  app.get('/plan', { schema: { hide: true } }, async (request, reply) => {
    const reader = readerOf(request)
    const { account, planner } = pages.of(request)
    return sendPage(reply, reader, planPage(account, reader, await planner.look()))
  })
}
