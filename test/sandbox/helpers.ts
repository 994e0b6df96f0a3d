import { onTestFinished } from 'vitest'
import { DEMO_APP_ID, DEMO_APP_SECRET, DEMO_PAGE, DEMO_TEMPLATE_ID } from '../../src/sandbox/accounts.js'
import { type SandboxOptions, startSandbox } from '../../src/sandbox/sandbox.js'

/** Ten in the morning of 2 March 2026 in Beijing. */
export const START = Date.parse('2026-03-02T10:00:00+08:00')

export const OPEN_ID = 'oSandboxUser0000000000000001'
export const DATA = {
  keyword1: { value: '日领积分' },
  keyword2: { value: '已经连续答题3天' },
  keyword4: { value: '2026-03-02' },
}

/** The fields that tests look at, of whatever was answered; an answer that is no JSON has none of them. */
export interface Json {
  errcode?: number
  errmsg?: string
  access_token?: string
  expires_in?: number
}

export interface Reply {
  status: number
  contentType: string | null
  text: string
  json: Json
}

/** A sandbox whose clock stands still, with short ways to talk to it; it closes itself after the test. */
export async function setup(options: SandboxOptions = {}) {
  const sandbox = await startSandbox({ now: () => START, ...options })
  onTestFinished(() => sandbox.close())
  const { control, url } = sandbox

  async function call(path: string, init: RequestInit = {}): Promise<Reply> {
    const response = await fetch(url + path, { redirect: 'manual', ...init })
    const text = await response.text()
    return {
      status: response.status,
      contentType: response.headers.get('content-type'),
      text,
      json: parse(text),
    }
  }

  function post(path: string, body: unknown, init: RequestInit = {}): Promise<Reply> {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return call(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: text,
      ...init,
    })
  }

  const credentials = { grant_type: 'client_credential', appid: DEMO_APP_ID, secret: DEMO_APP_SECRET }
  const classic = (changes: Record<string, string> = {}) =>
    call(`/cgi-bin/token?${new URLSearchParams({ ...credentials, ...changes })}`)
  const stable = (changes: object = {}) => post('/cgi-bin/stable_token', { ...credentials, ...changes })

  async function newToken(changes: object = {}): Promise<string> {
    return (await stable(changes)).json.access_token ?? 'refused'
  }

  async function classicToken(): Promise<string> {
    return (await classic()).json.access_token ?? 'refused'
  }

  let token: string | undefined
  async function sendTo(path: string, body: unknown, init: RequestInit & { token?: string } = {}) {
    token ??= await newToken()
    return post(`${path}?access_token=${init.token ?? token}`, body, init)
  }

  function message(changes: object = {}) {
    return {
      touser: OPEN_ID,
      template_id: DEMO_TEMPLATE_ID,
      page: DEMO_PAGE,
      form_id: control.issueFormId({ openId: OPEN_ID }),
      data: DATA,
      ...changes,
    }
  }

  return {
    sandbox,
    control,
    url,
    call,
    post,
    classic,
    stable,
    newToken,
    classicToken,
    message,
    /** Sends a right form_id message with these changes. */
    send: (changes: object = {}, init: RequestInit & { token?: string } = {}) =>
      sendTo('/cgi-bin/message/wxopen/template/send', message(changes), init),
    sendTo,
  }
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return {}
  }
}
