import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import type { Dialect } from './database.js'
import { type Answer, startTestService, type TestService } from './service.js'

export const SESSION_SECRET = 'a-session-secret-of-32-characters'

/** A service with sessions, and the sandbox that it asks about logins. */
export interface SessionService extends TestService {
  sandbox: Sandbox
  /** POST /v1/sessions with a fresh code of wx.login. */
  logIn(openId: string, options?: { unionId?: string }): Promise<Answer>
  /** The token of a login that went well. */
  tokenOf(openId: string): Promise<string>
  /** A POST as the mini-program sends it. */
  postAs(token: string, path: string, body: unknown): Promise<Answer>
  close(): Promise<void>
}

export async function startSessionService(
  dialect: Dialect,
  options: { env?: Record<string, string>; now?: () => number } = {},
): Promise<SessionService> {
  const sandbox = await startSandbox(options.now ? { now: options.now } : {})
  const service = await startTestService(dialect, {
    ...options,
    env: { SESSION_SECRET, WX_API_BASE_URL: sandbox.url, ...options.env },
  })
  const logIn: SessionService['logIn'] = (openId, { unionId } = {}) =>
    service.request('POST', '/v1/sessions', {
      body: JSON.stringify({ code: sandbox.control.issueLoginCode({ openId, unionId }) }),
      headers: { 'content-type': 'application/json' },
    })
  return {
    ...service,
    sandbox,
    logIn,
    async tokenOf(openId) {
      const { status, body } = await logIn(openId)
      if (status !== 201) throw new Error(`the login was answered ${status}`)
      return (body as { token: string }).token
    },
    postAs: (token, path, body) => service.post(path, body, { authorization: `Bearer ${token}` }),
    async close() {
      await service.close()
      await sandbox.close()
    },
  }
}
