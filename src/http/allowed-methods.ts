import type { FastifyInstance } from 'fastify'

/** Whether an address exists with another method, for 405 (RFC 9110, 15.5.6). */
export type AllowedMethods = (path: string) => string[]

/** Notes the routes that are registered from now on. */
export function watchRoutes(app: FastifyInstance): AllowedMethods {
  const routes: { method: string; pattern: RegExp }[] = []
  app.addHook('onRoute', ({ method, url }) => {
    const methods = [method].flat()
    // A HEAD is there because a GET is, of which Fastify does not always tell: /dashboard/ beside /dashboard.
    if (methods.includes('HEAD')) methods.unshift('GET')
    for (const one of methods) routes.push({ method: one, pattern: patternOf(url) })
  })
  return (path) => [
    ...new Set(routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)),
  ]
}

/** A part of the route that begins with a colon is any one part of the path; a star is all the rest. */
function patternOf(url: string): RegExp {
  const parts = url.split('/').map((part) => {
    if (part === '*') return '.*'
    return part.startsWith(':') ? '[^/]+' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  })
  return new RegExp(`^${parts.join('/')}$`)
}
