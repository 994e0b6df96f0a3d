import { createServer } from 'node:http'
import { config } from './candidate.js'

/**
 * A stand-in for WeChat that answers at once, or after `latencyMs`, and checks nothing: the cheapest thing that a send
 * can meet, in a process of its own. Takes what comes for the account `hangs`, and never answers it. Tells its address.
 */
const { latencyMs, hangs } = config<{ latencyMs: number; hangs?: string }>()

const HANGING = 'access-of-the-account-that-hangs'

const server = createServer((request, response) => {
  let body = ''
  request.setEncoding('utf8').on('data', (text: string) => {
    if (hangs !== undefined) body += text
  })
  request.on('end', () => {
    const isToken = request.url?.startsWith('/cgi-bin/stable_token')
    // The account that hangs gets its token, and waits with every message.
    const hanging = hangs !== undefined && body.includes(`"appid":"${hangs}"`)
    if (!isToken && request.url?.includes(HANGING)) return
    const answer = isToken
      ? `{"access_token":"${hanging ? HANGING : 'bench'}","expires_in":7200}`
      : '{"errcode":0,"errmsg":"ok"}'
    response.setHeader('content-type', 'application/json')
    if (latencyMs > 0) setTimeout(() => response.end(answer), latencyMs)
    else response.end(answer)
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening on a port')
  process.stdout.write(`http://127.0.0.1:${address.port}\n`)
})
