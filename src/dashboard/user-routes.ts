import type { FastifyInstance, FastifyRequest } from 'fastify'
import { inTransaction } from '../db/transaction.js'
import { ServiceError } from '../errors.js'
import { addDays, businessDate, parseIsoDate } from '../lib/business-date.js'
import { maskOpenId } from '../lib/redact.js'
import { MAX_USER_ID, toUserId, USER_ID_PATTERN, type UserId, userIdToJson } from '../lib/user-id.js'
import { explainUser, MAX_DAYS_AHEAD } from '../reminders/explain.js'
import { findUserDetail } from '../user-data/detail.js'
import { findUsersOf } from '../user-data/persons.js'
import { bringBackNamed } from '../users/bring-back.js'
import { countStopped, recordWish } from '../users/stop-store.js'
import { onRecord } from './actions.js'
import { confirmPage } from './confirm.js'
import type { DashboardDeps } from './deps.js'
import { explainPanel } from './explain-panel.js'
import { sendPage } from './page.js'
import type { Reader } from './reader.js'
import type { OperatorSessions } from './session.js'
import { lookUpPage, userPage, userPath } from './user-page.js'
import { assertOurForm, fieldOf, operatorOf } from './visit.js'

const OPEN_ID = /^[\w-]{6,100}$/

/** Looking somebody up, and the two things that can be done for a user. */
export function userRoutes(
  app: FastifyInstance,
  { db, retentionDays, now }: DashboardDeps,
  sessions: OperatorSessions,
  readerOf: (request: FastifyRequest) => Reader,
): void {
  const userOf = (request: FastifyRequest): UserId => {
    const { user_id } = request.params as { user_id: string }
    if (isUserId(user_id)) return toUserId(user_id)
    throw new ServiceError('invalid_request', `user_id: must be a whole number from 0 to ${MAX_USER_ID}`)
  }

  app.get('/user', { schema: { hide: true } }, (request, reply) =>
    sendPage(reply, readerOf(request), lookUpPage(readerOf(request))),
  )

  app.post('/user', { schema: { hide: true } }, async (request, reply) => {
    assertOurForm(sessions, request)
    const reader = readerOf(request)
    const t = reader.texts.user
    const who = fieldOf(request, 'who').trim()
    const again = (fault: string, status: number) =>
      sendPage(reply.status(status), reader, lookUpPage(reader, { who, fault }))
    if (/^\d+$/.test(who))
      return isUserId(who) ? reply.redirect(`${userPath(reader)}/${who}`, 303) : again(t.badId, 422)
    if (!OPEN_ID.test(who)) return again(t.badId, 422)
    const found = await orNone(findUsersOf(db, reader.account.appId, who))
    const [only] = found ?? []
    if (!found || only === undefined) return again(t.notFound(maskOpenId(who)), 404)
    if (found.length === 1) return reply.redirect(`${userPath(reader)}/${only}`, 303)
    return sendPage(reply, reader, lookUpPage(reader, { found: found.map(String) }))
  })

  app.get('/user/:user_id', { schema: { hide: true } }, async (request, reply) => {
    const reader = readerOf(request)
    const { account } = reader
    const userId = userOf(request)
    const t = reader.texts.user
    const user = await orNone(findUserDetail(db, account, userId, now()))
    if (user) {
      const today = businessDate(now(), account.timezone)
      const asked = (request.query as Record<string, unknown>).date
      const date = asked === undefined ? today : parseIsoDate(String(asked))
      const isNear = date !== undefined && date <= addDays(today, MAX_DAYS_AHEAD)
      const why = isNear
        ? await explainUser(db, { ...account, retentionDays }, userId, date, now())
        : undefined
      const fault = isNear ? {} : { fault: t.badDay }
      return sendPage(reply, reader, userPage(reader, user, explainPanel(reader, { why, today, ...fault })))
    }
    return sendPage(
      reply.status(404),
      reader,
      lookUpPage(reader, { who: String(userId), fault: t.notFound(String(userId)) }),
    )
  })

  for (const [path, action, write] of [
    ['opt-out', 'opt_out', recordWish],
    ['bring-back', 'bring_back', bringBackNamed],
  ] as const) {
    const textsOf = ({ texts }: Reader) => (action === 'opt_out' ? texts.user.optOut : texts.user.bringBack)

    app.get(`/user/:user_id/${path}`, { schema: { hide: true } }, (request, reply) => {
      const reader = readerOf(request)
      const id = String(userOf(request))
      const t = textsOf(reader)
      return sendPage(
        reply,
        reader,
        confirmPage(reader, {
          section: 'user',
          title: t.title(id),
          lead: t.lead,
          button: t.button,
          action: `${userPath(reader)}/${id}/${path}`,
          back: `${userPath(reader)}/${id}`,
        }),
      )
    })

    app.post(`/user/:user_id/${path}`, { schema: { hide: true } }, async (request, reply) => {
      assertOurForm(sessions, request)
      const reader = readerOf(request)
      const { appId } = reader.account
      const userId = userOf(request)
      const { name: who } = operatorOf(request)
      const details = { user_id: userIdToJson(userId) }
      await onRecord({ db, appId, now }, request, { action, who, details }, async () => {
        const { persons } = await inTransaction(db, async (trx) => {
          await write(trx, { appId, userId }, now())
          return countStopped(trx, { appId, userId })
        })
        if (persons === 0) throw new ServiceError('not_found', 'No open_id is bound to this user')
        return { result: undefined }
      })
      return reply.redirect(`${userPath(reader)}/${userId}`, 303)
    })
  }
}

function isUserId(text: string): boolean {
  return new RegExp(USER_ID_PATTERN).test(text) && BigInt(text) <= MAX_USER_ID
}

/** undefined where nothing is on record. */
async function orNone<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'not_found') return undefined
    throw error
  }
}
