import cookie from '@fastify/cookie'
import formbody from '@fastify/formbody'
import type { FastifyError, FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { Accounts } from '../accounts.js'
import { ServiceError } from '../errors.js'
import { createAccountPages } from './account-pages.js'
import { openAssets } from './assets.js'
import { pageHead } from './components.js'
import type { DashboardDeps } from './deps.js'
import { errorRoutes } from './error-routes.js'
import { sendFault } from './fault-page.js'
import { healthPages } from './health-routes.js'
import { html } from './html.js'
import { homeOf, ROOT } from './layout.js'
import { messageRoutes } from './message-routes.js'
import { sendPage } from './page.js'
import { preferenceRoutes } from './preference-routes.js'
import { createReaders, type Reader } from './reader.js'
import { requeueRoutes } from './requeue-routes.js'
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
    root.get('/', { schema: { hide: true } }, (_, reply) => reply.redirect(ROOT, 302))
    await root.register(allPages(deps), { prefix: ROOT })
  }
}

function allPages(deps: DashboardDeps): FastifyPluginAsync {
  const { accounts, adminPassword, log, now } = deps
  return async (app) => {
    const assets = await openAssets(ROOT)
    const pages = createAccountPages(deps)
    const toReader = createReaders({
      scribesOf: (request) => pages.of(request).scribes,
      appIds: () => accounts.all.map(({ appId }) => appId),
      assets,
    })
    const readerOf = (request: FastifyRequest): Reader => toReader(request, visitOf(request))
    // Where there is no password, only the switches of language and theme have a form.
    const sessions = await openSessions(adminPassword)

    await app.register(cookie)
    await app.register(formbody, { bodyLimit: 4 * 1024 })
    app.decorateRequest('visit', undefined)
    app.addHook('onRequest', (request, reply) => recogniseVisitor(sessions, request, reply, now()))
    app.addHook('preClose', async () => pages.close())
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
    if (adminPassword === undefined) return switchedOff(app, readerOf)
    signInRoutes(app, deps, adminPassword, sessions, readerOf)
    const inside: FastifyPluginAsync = async (scope) => {
      scope.addHook('onRequest', async (request, reply) => toAccount(accounts, request, reply))
      todayRoutes(scope, deps, pages, readerOf)
      runRoutes(scope, deps, sessions, readerOf)
      errorRoutes(scope, deps, sessions, readerOf)
      summaryRoutes(scope, deps, readerOf)
      userRoutes(scope, deps, sessions, readerOf)
      messageRoutes(scope, deps, sessions, readerOf)
      requeueRoutes(scope, deps, sessions, readerOf)
      healthPages(scope, deps, sessions, readerOf)
    }
    await app.register(inside)
    await app.register(inside, { prefix: '/accounts/:app_id' })
  }
}

/**
 * Lets an operator in, to the pages of an account. Where there are several and the address names none, it leads to the
 * first one, so that every page says in its address whom it is about. Throws `unknown_account`.
 */
function toAccount(
  accounts: Accounts,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply | undefined {
  const { url, method } = request
  if (!visitOf(request).operator) {
    const next = method === 'GET' ? `?next=${encodeURIComponent(url)}` : ''
    return reply.redirect(SIGN_IN + next, 303)
  }
  const { app_id } = request.params as { app_id?: string }
  const [first, ...others] = accounts.all
  if (app_id === undefined && method === 'GET' && first && others.length > 0)
    return reply.redirect(homeOf(first.appId, false) + url.slice(ROOT.length), 303)
  accounts.of(app_id)
  return undefined
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
