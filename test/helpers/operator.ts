import { expect } from 'vitest'
import type { Answer, TestService } from './service.js'

export const ADMIN_PASSWORD = 'of-the-operators-7c1e'

/** What a browser sends with every form of its own pages. */
const SAME_ORIGIN = { 'sec-fetch-site': 'same-origin' }

/** A browser without scripts: keeps cookies, and sends a page's token with its forms. */
export class TestOperator {
  readonly cookies = new Map<string, string>()

  constructor(
    readonly service: Pick<TestService, 'request'>,
    readonly headers: Record<string, string> = {},
  ) {}

  async get(path: string): Promise<Answer> {
    return this.#keep(await this.service.request('GET', path, { headers: this.#headers() }))
  }

  /** Loads the page with the form first. */
  async send(page: string, path: string, fields: Record<string, string> = {}): Promise<Answer> {
    const { text } = await this.get(page)
    return this.post(path, { form_token: tokenIn(text), ...fields })
  }

  async post(
    path: string,
    fields: Record<string, string>,
    headers: Record<string, string> = SAME_ORIGIN,
  ): Promise<Answer> {
    return this.#keep(
      await this.service.request('POST', path, {
        body: new URLSearchParams(fields).toString(),
        headers: {
          ...this.#headers(),
          'content-type': 'application/x-www-form-urlencoded',
          ...headers,
        },
      }),
    )
  }

  async signIn(name = '王芳', password = ADMIN_PASSWORD): Promise<Answer> {
    return this.send('/dashboard/sign-in', '/dashboard/sign-in', { name, password })
  }

  #headers(): Record<string, string> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    return { ...this.headers, ...(cookie === '' ? {} : { cookie }) }
  }

  #keep(answer: Answer): Answer {
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return answer
  }
}

/** An operator who has signed in. */
export async function signedIn(
  service: Pick<TestService, 'request'>,
  headers?: Record<string, string>,
): Promise<TestOperator> {
  const operator = new TestOperator(service, headers)
  expect((await operator.signIn()).status).toBe(303)
  return operator
}

export function tokenIn(page: string): string {
  return /name="form_token" value="([^"]+)"/.exec(page)?.[1]?.replaceAll('&#61;', '=') ?? ''
}
