import { createServer } from 'node:http'

/**
 * A stand-in for WeChat that answers at once, or after LATENCY_MS, and checks nothing: the cheapest partner
 * that a send can have, in a process of its own. It counts how often each form_id came.
 */
const latencyMs = Number(process.env.LATENCY_MS ?? 0)
const seen = new Map<string, number>()
const FORM_ID = /"form_id":"([^"]+)"/

const server = createServer((request, response) => {
  if (request.url === '/stub/summary') {
    const sent = [...seen.values()].reduce((sum, times) => sum + times, 0)
    response.end(JSON.stringify({ sent, form_ids: seen.size }))
    return
  }
  let body = ''
  request.setEncoding('utf8')
  request.on('data', (chunk: string) => {
    body += chunk
  })
  request.on('end', () => {
    const formId = FORM_ID.exec(body)?.[1]
    if (formId) seen.set(formId, (seen.get(formId) ?? 0) + 1)
    const answer = request.url?.startsWith('/cgi-bin/stable_token')
      ? '{"access_token":"bench","expires_in":7200}'
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
