import { afterAll, afterEach, beforeAll } from 'vitest'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import type { Dialect } from './database.js'
import { type Answer, startTestService, type TestService, useService } from './service.js'

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

export interface SessionOptions {
  env?: Record<string, string>
  now?: () => number
}

/** A service with sessions for the tests of a describe or of a file, as useService gives one without; no fault outlives a test. */
export function useSessionService(dialect: Dialect, options: SessionOptions = {}): SessionService {
  let started: Sandbox | undefined
  function sandbox(): Sandbox {
    if (!started) throw new Error('Only hooks and tests have a WeChat')
    return started
  }
  beforeAll(async () => {
    started = await startSandbox(options.now ? { now: options.now } : {})
  })
  afterAll(() => started?.close())
  const service = useService(dialect, {
    ...options,
    env: { SESSION_SECRET, ...options.env },
    wechatUrl: () => sandbox().url,
  })
  afterEach(() => sandbox().control.clearFaults())
  return addLogins(service, sandbox)
}

/** A service with sessions in the middle of a test. */
export async function startSessionService(
  dialect: Dialect,
  options: SessionOptions = {},
): Promise<SessionService> {
  const sandbox = await startSandbox(options.now ? { now: options.now } : {})
  const service = await startTestService(dialect, {
    ...options,
    env: { SESSION_SECRET, WX_API_BASE_URL: sandbox.url, ...options.env },
  })
  const close = () => service.close().finally(sandbox.close)
  return { ...addLogins(service, () => sandbox), close }
}

/** The service itself, which may not run yet, with more that can be done with it. */
function addLogins(service: TestService, sandboxOf: () => Sandbox): SessionService {
  const logIn: SessionService['logIn'] = (openId, { unionId } = {}) =>
    service.request('POST', '/v1/sessions', {
      body: JSON.stringify({ code: sandboxOf().control.issueLoginCode({ openId, unionId }) }),
      headers: { 'content-type': 'application/json' },
    })
  const logins: Pick<SessionService, 'sandbox' | 'logIn' | 'tokenOf' | 'postAs'> = {
    get sandbox() {
      return sandboxOf()
    },
    logIn,
    async tokenOf(openId) {
      const { status, body } = await logIn(openId)
      if (status !== 201) throw new Error(`the login was answered ${status}`)
      return (body as { token: string }).token
    },
    postAs: (token, path, body) => service.post(path, body, { authorization: `Bearer ${token}` }),
  }
  return Object.defineProperties(service, Object.getOwnPropertyDescriptors(logins)) as SessionService
}
