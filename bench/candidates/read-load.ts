import { config } from '../rig/candidate.js'
import { askInTurn } from '../rig/latencies.js'

/** One call or page, asked for again and again, one after the other. A done unit is an answer. */
const { url, path, apiKey, adminPassword, times } = config<{
  url: string
  path: string
  apiKey: string
  adminPassword: string
  times: number
}>()
/** What is read at most once in some seconds is to be read afresh by some of the requests. */
const PAUSE_MS = 40

/** Signs in as a browser would: with the form's own token. */
async function cookieOf(): Promise<string> {
  const form = await fetch(`${url}/dashboard/sign-in`)
  const page = await form.text()
  const fields = new URLSearchParams({ name: 'bench', password: adminPassword, next: '/dashboard' })
  for (const [, name = '', value = ''] of page.matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g))
    fields.set(name, value)
  const before = form.headers.getSetCookie().map((cookie) => cookie.split(';')[0])
  const answer = await fetch(`${url}/dashboard/sign-in`, {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie: before.join('; '), origin: url },
    body: fields,
  })
  if (answer.status !== 303) throw new Error(`The sign-in was answered ${answer.status}`)
  return [...before, ...answer.headers.getSetCookie().map((cookie) => cookie.split(';')[0])].join('; ')
}

const isPage = path.startsWith('/dashboard')
const headers = isPage ? { cookie: await cookieOf() } : { authorization: `Bearer ${apiKey}` }

async function ask(): Promise<number> {
  const startedAt = performance.now()
  const answer = await fetch(url + path, { headers, redirect: 'manual' })
  await answer.text()
  const ms = performance.now() - startedAt
  if (answer.status !== 200) throw new Error(`${path} was answered ${answer.status}`)
  return ms
}

await askInTurn(ask, { times, pauseMs: PAUSE_MS })
