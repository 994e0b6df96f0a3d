import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { DashboardDeps } from './deps.js'
import { createLive } from './live.js'
import { sendPage } from './page.js'
import { planPage } from './plan-page.js'
import { createPlanner } from './planner.js'
import { languageOf } from './preferences.js'
import { createScribes, type Reader, type Scribe } from './reader.js'
import { setPageHeaders } from './security.js'
import { dayStateOf, findToday } from './today.js'
import { liveParts } from './today-live.js'
import { todayPage } from './today-page.js'
import { operatorOf } from './visit.js'

/** Today: the page, its live part, and the plan. */
export function todayRoutes(
  app: FastifyInstance,
  { db, account, log, now }: DashboardDeps,
  readerOf: (request: FastifyRequest) => Reader,
): void {
  const scribes = createScribes(account)
  const live = createLive({
    async draw() {
      const today = await findToday(db, account, now())
      const state = dayStateOf(account, today)
      const drawn = (scribe: Scribe) => {
        const { answer, details } = liveParts(scribe, today)
        return { state, parts: { answer: answer.toString(), details: details.toString() } }
      }
      return { en: drawn(scribes.en), zh: drawn(scribes.zh) }
    },
    log,
    now,
  })
  app.addHook('preClose', async () => live.close())
  const planner = createPlanner(db, account, now)

  app.get('/', { schema: { hide: true } }, async (request, reply) => {
    const reader = readerOf(request)
    return sendPage(reply, reader, todayPage(reader, await findToday(db, account, now())))
  })

  app.get('/events', { schema: { hide: true } }, (request, reply) => {
    setPageHeaders(reply)
    // A proxy that gathers answers would show nothing until the end.
    reply.type('text/event-stream').header('X-Accel-Buffering', 'no')
    return reply.send(live.open(languageOf(request), operatorOf(request).endsAt))
  })

  app.get('/plan', { schema: { hide: true } }, async (request, reply) => {
    const reader = readerOf(request)
    return sendPage(reply, reader, planPage(account, reader, await planner.look()))
  })
}
