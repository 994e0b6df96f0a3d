import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { DashboardDeps } from './deps.js'
import { findHealth } from './health.js'
import { healthPage } from './health-page.js'
import { sendPage } from './page.js'
import type { Reader } from './reader.js'
import type { OperatorSessions } from './session.js'
import { assertOurForm } from './visit.js'

/** Health, and the checks of `doctor` for whoever asks. */
export function healthPages(
  app: FastifyInstance,
  { db, operatorsOf, now }: DashboardDeps,
  sessions: OperatorSessions,
  readerOf: (request: FastifyRequest) => Reader,
): void {
  app.get('/health', { schema: { hide: true } }, async (request, reply) => {
    const reader = readerOf(request)
    const { account } = reader
    const { view } = operatorsOf(account.appId)
    return sendPage(reply, reader, healthPage(reader, await findHealth(db, account, view(), now())))
  })

  app.post('/health/checks', { schema: { hide: true } }, async (request, reply) => {
    assertOurForm(sessions, request)
    const shown = readerOf(request)
    const reader = { ...shown, path: `${shown.home}/health` }
    const { account } = reader
    const { view, examine } = operatorsOf(account.appId)
    const findings = await examine()
    return sendPage(reply, reader, healthPage(reader, await findHealth(db, account, view(), now()), findings))
  })
}
