import { randomBytes } from 'node:crypto'
import cookie from '@fastify/cookie'
import formbody from '@fastify/formbody'
import type { FastifyError, FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify'
import { ServiceError } from '../errors.js'
import { openAssets } from './assets.js'
import { pageHead } from './components.js'
import type { DashboardDeps } from './deps.js'
import { errorRoutes } from './error-routes.js'
import { sendFault } from './fault-page.js'
import { healthPages } from './health-routes.js'
import { html } from './html.js'
import { HOME } from './layout.js'
import { sendPage } from './page.js'
import { preferenceRoutes } from './preference-routes.js'
import { createReaders, type Reader } from './reader.js'
import { runRoutes } from './run-routes.js'
import { openSessions } from './session.js'
import { SIGN_IN, signInRoutes } from './sign-in-routes.js'
import { summaryRoutes } from './summary-routes.js'
import { todayRoutes } from './today-routes.js'
import { userRoutes } from './user-routes.js'
import { recogniseVisitor, visitOf } from './visit.js'

/** The operators' pages, at /dashboard; / leads there. */
export function dashboardRoutes(deps: DashboardDeps): FastifyPluginAsync {
  return async (root) => {
    root.get('/', { schema: { hide: true } }, (_, reply) => reply.redirect(HOME, 302))
    await root.register(pages(deps), { prefix: HOME })
  }
}

function pages(deps: DashboardDeps): FastifyPluginAsync {
  const { account, operators, log, now } = deps
  return async (app) => {
    const assets = await openAssets(HOME)
    const toReader = createReaders(account, assets)
    const readerOf = (request: FastifyRequest): Reader => toReader(request, visitOf(request))
    // Where there is no password, only the switches of language and theme have a form.
    const sessions = await openSessions(operators?.password ?? randomBytes(32).toString('hex'), account.appId)

    await app.register(cookie)
    await app.register(formbody, { bodyLimit: 4 * 1024 })
    app.decorateRequest('visit', undefined)
    app.addHook('onRequest', (request, reply) => recogniseVisitor(sessions, request, reply, now()))
    app.setErrorHandler(async (error: FastifyError, request, reply) => {
      // A path that does not exist is refused before our hooks.
      request.cookies ??= app.parseCookie(request.headers.cookie ?? '')
      if (!request.visit) await recogniseVisitor(sessions, request, reply, now())
      return sendFault(reply, readerOf(request), error, log)
    })
    app.setNotFoundHandler(() => {
      throw new ServiceError('not_found', 'There is no such page')
    })

    assets.routes(app)
    preferenceRoutes(app, sessions)
    if (!operators) return switchedOff(app, readerOf)
    signInRoutes(app, deps, operators.password, sessions, readerOf)
    await app.register(async (inside) => {
      inside.addHook('onRequest', async (request, reply) => {
        if (visitOf(request).operator) return
        const next = request.method === 'GET' ? `?next=${encodeURIComponent(request.url)}` : ''
        return reply.redirect(SIGN_IN + next, 303)
      })
      todayRoutes(inside, deps, readerOf)
      runRoutes(inside, { ...deps, ...operators }, sessions, readerOf)
      errorRoutes(inside, { ...deps, ...operators }, sessions, readerOf)
      summaryRoutes(inside, deps, readerOf)
      userRoutes(inside, deps, sessions, readerOf)
      healthPages(inside, { ...deps, ...operators }, sessions, readerOf)
    })
  }
}

/** Says how to switch the pages on. */
function switchedOff(app: FastifyInstance, readerOf: (request: FastifyRequest) => Reader): void {
  app.get('/', { schema: { hide: true } }, (request, reply) => {
    const reader = readerOf(request)
    const t = reader.texts.signIn
    return sendPage(reply, reader, {
      title: t.offTitle,
      body: html`${pageHead(t.offTitle)}
<section class="panel prose"><p>${t.off}</p><p>${t.offHash}</p><pre tabindex="0"><code>npm run -s cli -- hash-password</code></pre><p class="note">${t.offRest}</p></section>`,
    })
  })
}
