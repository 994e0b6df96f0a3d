import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { onRecord } from './actions.js'
import { pageHead } from './components.js'
import type { DashboardDeps } from './deps.js'
import { type Html, html } from './html.js'
import { formFields, ROOT } from './layout.js'
import { sendPage } from './page.js'
import { createPasswordCheck } from './password.js'
import type { Reader } from './reader.js'
import type { OperatorSessions } from './session.js'
import { createSignInLimit } from './sign-in-limit.js'
import { assertOurForm, fieldOf, signIn, signOut, visitOf } from './visit.js'

export const SIGN_IN = `${ROOT}/sign-in`

/** Printable, as it stands in the log of actions. */
const NAME = /^[^\p{C}]{1,40}$/u

/** Sign-in and sign-out. */
export function signInRoutes(
  app: FastifyInstance,
  { db, accounts, log, now }: DashboardDeps,
  adminPassword: string,
  sessions: OperatorSessions,
  readerOf: (request: FastifyRequest) => Reader,
): void {
  const isRight = createPasswordCheck(adminPassword)
  const limit = createSignInLimit({ log, now })
  app.get('/sign-in', { schema: { hide: true } }, (request, reply) => {
    const { operator } = visitOf(request)
    const next = nextOf((request.query as Record<string, unknown>).next)
    if (operator) return reply.redirect(next, 303)
    return ask(reply, readerOf(request), next)
  })

  app.post('/sign-in', { schema: { hide: true } }, async (request, reply) => {
    assertOurForm(sessions, request)
    limit.check(request)
    const reader = readerOf(request)
    const next = nextOf(fieldOf(request, 'next'))
    const name = fieldOf(request, 'name').trim()
    const again = (fault: string) => ask(reply.status(422), reader, next, { name, fault })
    if (!NAME.test(name)) return again(reader.texts.signIn.noName)
    if (!(await isRight(fieldOf(request, 'password')))) {
      limit.failed(request)
      return again(reader.texts.signIn.wrong)
    }
    limit.succeeded(request)
    // One sign-in is for all accounts; it stands in the log of the first.
    const appId = accounts.all[0]?.appId ?? ''
    await onRecord({ db, appId, now }, request, { action: 'sign_in', who: name, details: {} }, async () => ({
      result: await signIn(sessions, request, reply, { name, now: now() }),
    }))
    return reply.redirect(next, 303)
  })

  app.post('/sign-out', { schema: { hide: true } }, (request, reply) => {
    assertOurForm(sessions, request)
    signOut(request, reply)
    return reply.redirect(SIGN_IN, 303)
  })
}

/** Where to go afterwards: a page of ours, whatever the link says. */
function nextOf(given: unknown): string {
  return typeof given === 'string' && /^\/dashboard(?:[/?][\w/?=&.%-]*)?$/.test(given) ? given : ROOT
}

function ask(
  reply: FastifyReply,
  reader: Reader,
  next: string,
  again?: { name: string; fault: string },
): FastifyReply {
  return sendPage(reply, reader, {
    title: reader.texts.signIn.title,
    body: form(reader, next, again),
  })
}

function form(reader: Reader, next: string, again?: { name: string; fault: string }): Html {
  const t = reader.texts.signIn
  return html`${pageHead(t.title, t.lead)}
<form method="post" action="${SIGN_IN}" class="panel form">
${formFields(reader)}<input type="hidden" name="next" value="${next}">
${again && html`<p class="fault" role="alert">${again.fault}</p>`}
<div class="field"><label for="name">${t.name}</label><input id="name" name="name" value="${again?.name}" autocomplete="name" maxlength="40" required aria-describedby="name-hint"><p class="hint" id="name-hint">${t.nameHint}</p></div>
<div class="field"><label for="password">${t.password}</label><input id="password" name="password" type="password" autocomplete="current-password" required></div>
<div class="buttons"><button class="main">${t.button}</button></div>
</form>`
}
