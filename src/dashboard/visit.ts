import { randomUUID } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ServiceError } from '../errors.js'
import { assertSameOrigin, cookieOptions } from './security.js'
import type { Operator, OperatorSessions } from './session.js'

const SESSION_COOKIE = 'dashboard_session'
/** Before the sign-in, it is what the tokens of forms are bound to. */
const VISIT_COOKIE = 'dashboard_visit'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the hook of the operators' pages. */
    visit: Visit | undefined
  }
}

/** Who a request of the pages comes from. */
export interface Visit {
  /** undefined before the sign-in. */
  operator: Operator | undefined
  formToken: string
}

/** For onRequest: says who it is, and marks a new visitor. */
export async function recogniseVisitor(
  sessions: OperatorSessions,
  request: FastifyRequest,
  reply: FastifyReply,
  now: number,
): Promise<void> {
  const operator = await sessions.verify(request.cookies[SESSION_COOKIE] ?? '', now)
  let id = operator?.id ?? request.cookies[VISIT_COOKIE]
  if (id === undefined || id === '') {
    id = randomUUID()
    reply.setCookie(VISIT_COOKIE, id, cookieOptions(request))
  }
  request.visit = { operator, formToken: sessions.formToken(id) }
}

export function visitOf(request: FastifyRequest): Visit {
  if (!request.visit) throw new Error(`${request.routeOptions.url} needs to know the visitor`)
  return request.visit
}

/** Who has signed in. For handlers behind the hook that sends everybody else to the sign-in. */
export function operatorOf(request: FastifyRequest): Operator {
  const { operator } = visitOf(request)
  if (!operator) throw new ServiceError('unauthorized', 'Sign in first')
  return operator
}

/** Refuses a form that no page of ours has sent: for every POST. */
export function assertOurForm(sessions: OperatorSessions, request: FastifyRequest): void {
  assertSameOrigin(request)
  const { formToken } = visitOf(request)
  if (!sessions.isSameToken(fieldOf(request, 'form_token'), formToken))
    throw new ServiceError('forbidden', 'The form is not of this sign-in')
}

/** A text of a form; '' if there is none, or more than one. */
export function fieldOf(request: FastifyRequest, name: string): string {
  const body: unknown = request.body
  const value =
    typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined
  return typeof value === 'string' ? value : ''
}

export async function signIn(
  sessions: OperatorSessions,
  request: FastifyRequest,
  reply: FastifyReply,
  { name, now }: { name: string; now: number },
): Promise<void> {
  const token = await sessions.issue(name, randomUUID(), now)
  reply.setCookie(SESSION_COOKIE, token, cookieOptions(request)).clearCookie(VISIT_COOKIE, { path: '/' })
}

export function signOut(request: FastifyRequest, reply: FastifyReply): void {
  reply.clearCookie(SESSION_COOKIE, cookieOptions(request))
}
