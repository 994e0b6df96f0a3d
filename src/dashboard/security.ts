import type { FastifyReply, FastifyRequest } from 'fastify'
import { ServiceError } from '../errors.js'

/** Nothing inline, nothing from elsewhere: a text that got into a page as markup still could not run or load anything. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ')

/** Replaces the headers of the API where a page needs others. */
export function setPageHeaders(reply: FastifyReply): void {
  reply.headers({
    'Content-Security-Policy': POLICY,
    // With `no-referrer`, browsers send `Origin: null` with forms, which says nothing.
    'Referrer-Policy': 'same-origin',
  })
}

/**
 * Refuses a form that another site's page has sent. Browsers say where a form comes from in Sec-Fetch-Site (https
 * and localhost) or in Origin; a program that sends neither has no operator's cookies to misuse.
 */
export function assertSameOrigin(request: FastifyRequest): void {
  const { 'sec-fetch-site': site, origin } = request.headers
  const isOurs =
    site === undefined
      ? origin === undefined || hostOf(origin) === request.host
      : site === 'same-origin' || site === 'none'
  if (!isOurs) throw new ServiceError('forbidden', 'This form was sent by a page of another site')
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}

/** A cookie that scripts cannot read and that no other site's page can send. */
export function cookieOptions(request: FastifyRequest) {
  // https as far as a trusted proxy says so. Over http a Secure cookie would be thrown away, and nobody could sign in.
  return {
    path: '/',
    httpOnly: true,
    sameSite: 'strict' as const,
    secure: request.protocol === 'https',
  }
}
