import type { FastifyInstance } from 'fastify'
import { DAY_MS, SECOND_MS } from '../lib/durations.js'
import { ROOT } from './layout.js'
import { LANGUAGE_COOKIE, LANGUAGES, THEME_COOKIE, THEMES } from './preferences.js'
import { cookieOptions } from './security.js'
import type { OperatorSessions } from './session.js'
import { assertOurForm, fieldOf } from './visit.js'

const YEAR_S = (365 * DAY_MS) / SECOND_MS

/** The switches of language and theme. */
export function preferenceRoutes(app: FastifyInstance, sessions: OperatorSessions): void {
  app.post('/preferences', { schema: { hide: true } }, (request, reply) => {
    assertOurForm(sessions, request)
    const options = { ...cookieOptions(request), maxAge: YEAR_S }
    const language = LANGUAGES.find((one) => one === fieldOf(request, 'language'))
    const theme = THEMES.find((one) => one === fieldOf(request, 'theme'))
    if (language) reply.setCookie(LANGUAGE_COOKIE, language, options)
    if (theme) reply.setCookie(THEME_COOKIE, theme, options)
    const back = fieldOf(request, 'back')
    return reply.redirect(/^\/dashboard(?:[/?][^\\\s]*)?$/.test(back) ? back : ROOT, 303)
  })
}
