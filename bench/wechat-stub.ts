import { createServer } from 'node:http'
import { config } from './rig/process.js'

/**
 * A stand-in for WeChat that answers at once, or after `latencyMs`, and checks nothing: the cheapest thing that a send
 * can meet, in a process of its own. Tells its address.
 */
const { latencyMs } = config<{ latencyMs: number }>()

const server = createServer((request, response) => {
  request.resume()
  request.on('end', () => {
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
