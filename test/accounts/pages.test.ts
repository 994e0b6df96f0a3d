import { describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { ADMIN_PASSWORD, signedIn, type TestOperator, tokenIn } from '../helpers/operator.js'
import type { Answer } from '../helpers/service.js'
import { A, B, useTwoAccounts } from '../helpers/two-accounts.js'
import { users } from '../helpers/users.js'

const PATHS = ['', '/plan', '/run', '/permits', '/history', '/user', '/user/7', '/errors', '/health']

describe.each(dialects)('the pages of several accounts on %s', (dialect) => {
  const two = useTwoAccounts(dialect)

  async function operator(accounts = [A, B]): Promise<TestOperator> {
    await two.start(accounts, { ADMIN_PASSWORD })
    const request = async (
      method: string,
      path: string,
      { body, headers }: { body?: string | Uint8Array; headers?: Record<string, string> } = {},
    ): Promise<Answer> => {
      const response = await fetch(two.service.url + path, {
        method,
        redirect: 'manual',
        ...(body === undefined ? {} : { body }),
        ...(headers === undefined ? {} : { headers }),
      })
      return {
        status: response.status,
        headers: response.headers,
        body: undefined,
        text: await response.text(),
      }
    }
    return signedIn({ request })
  }
  const home = ({ appId }: typeof A) => `/dashboard/accounts/${encodeURIComponent(appId)}`

  test('each page says in its address whom it is about, and leads to pages of the same account', async () => {
    const browser = await operator()
    await two.has(A, users(7, 7).permits(1))
    await two.has(B, users(7, 7).subscriptions(1))
    for (const path of PATHS) {
      const { status, text } = await browser.get(home(B) + path)
      expect(status, path).toBe(200)
      expect(text, path).toContain(`<small>${B.appId}</small>`)
      const links = [...text.matchAll(/(?:href|action|data-live)="(\/dashboard[^"]*)"/g)]
        .map(([, link = '']) => link)
        .filter((link) => !/^\/dashboard\/(?:assets|preferences|sign-out)/.test(link))
        .filter((link) => !link.startsWith(home(A)))
      expect(links.length, path).toBeGreaterThan(5)
      for (const link of links) expect(link.startsWith(home(B)), `${link} on ${path}`).toBe(true)
    }
  })

  test('an address without an account leads to the first one, and the switch to the same page of another', async () => {
    const browser = await operator()
    expect((await browser.get('/dashboard')).headers.get('location')).toBe(home(A))
    const asked = await browser.get('/dashboard/errors?date=2026-11-20')
    expect(asked.headers.get('location')).toBe(`${home(A)}/errors?date=2026-11-20`)
    const { text } = await browser.get(`${home(A)}/permits`)
    expect(text).toContain(`href="${home(B)}/permits"`)
    const unknown = await browser.get('/dashboard/accounts/wxGamma')
    expect(unknown.status).toBe(404)
    expect(unknown.text).toContain('There is no such account here.')
  })

  test('an operator stays signed in when accounts change places, come or go', async () => {
    const browser = await operator([A, B])
    for (const accounts of [[B, A], [B], [A]]) {
      await two.service.stop()
      await two.start(accounts, { ADMIN_PASSWORD })
      const [first = A] = accounts
      const { status, text } = await browser.get(accounts.length > 1 ? home(first) : '/dashboard')
      expect([status, text.includes('Sign out')]).toEqual([200, true])
    }
  })

  test('with one account the addresses are as they always were, and there is no switch', async () => {
    const browser = await operator([A])
    const { status, text } = await browser.get('/dashboard/permits')
    expect(status).toBe(200)
    expect(text).not.toContain('/dashboard/accounts/')
  })

  test('what an operator does is done for the account of the page, and is on its record', async () => {
    const browser = await operator()
    await two.has(A, users(1, 5).permits(1))
    await two.has(B, users(1, 5).subscriptions(1))
    const done = await browser.send(`${home(B)}/run`, `${home(B)}/run`)
    expect([done.status, done.headers.get('location')]).toEqual([303, home(B)])
    await eventually('the run of B is done', async () => (await two.run(B))?.state === 'done')
    expect(await two.run(A)).toBeUndefined()
    const actions = await selectRows(
      two.database.db,
      "SELECT app_id, action FROM wx_operator_action WHERE action = 'run'",
    )
    expect(actions).toEqual([{ app_id: B.appId, action: 'run' }])
    // A form without an account is not guessed at.
    const { text } = await browser.get(`${home(A)}/run`)
    expect((await browser.post('/dashboard/run', { form_token: tokenIn(text) })).status).toBe(422)
    expect(await two.run(A)).toBeUndefined()
  })

  test('live events are those of the account, and end when it is gone', async () => {
    const browser = await operator()
    await two.has(B, users(1, 5).subscriptions(1))
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(`${two.service.url}${home(B)}/events`, { headers: { cookie } })
    let heard = ''
    const ended = (async () => {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>)
        heard += Buffer.from(chunk).toString()
    })()
    await eventually('the state is told', () => heard.includes('event: status'))
    expect(heard).not.toContain(home(A))
    await two.service.change({ accounts: [A] })
    await ended
    expect((await browser.get(`${home(B)}/events`)).status).toBe(404)
  })

  test('an account with odd characters has its pages too', async () => {
    const odd = { ...B, appId: 'wx a/b?c"<i>' }
    const browser = await operator([A, odd])
    const { status, text } = await browser.get(`${home(odd)}/permits`)
    expect(status).toBe(200)
    expect(text).not.toContain('<i>')
    expect((await two.call('GET', `/v1/runs?app_id=${encodeURIComponent(odd.appId)}`)).status).toBe(200)
  })
})
