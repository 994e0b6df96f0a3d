import { Pool } from 'undici'
import { config, finish, ready } from '../rig/candidate.js'
import { openIdOf } from '../rig/fill.js'
import { APP_ID, templateMessage } from './account.js'

/** As many requests as the service would make, and nothing else: no database, no verdicts. undici's fastest way. */
const { stubUrl, concurrency, users } = config<{ stubUrl: string; concurrency: number; users: number }>()
const pool = new Pool(stubUrl, { connections: concurrency, pipelining: 1 })
const path = '/cgi-bin/message/wxopen/template/send?access_token=bench'
const headers = { 'content-type': 'application/json' }

function send(userId: number): Promise<void> {
  const body = JSON.stringify(templateMessage(openIdOf(userId), `${APP_ID}${userId}`))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    pool.dispatch(
      { method: 'POST', path, headers, body },
      {
        onRequestStart() {},
        onResponseStart() {},
        onResponseData(_, chunk) {
          chunks.push(chunk)
        },
        onResponseEnd() {
          const answer = JSON.parse(Buffer.concat(chunks).toString()) as { errcode: number }
          if (answer.errcode === 0) resolve()
          else reject(new Error(`errcode ${answer.errcode}`))
        },
        onResponseError: (_, error) => reject(error),
      },
    )
  })
}

let next = 1
async function work(): Promise<void> {
  while (next <= users) await send(next++)
}

await ready()
const startedAt = performance.now()
await Promise.all(Array.from({ length: concurrency }, work))
finish({ done: users, seconds: (performance.now() - startedAt) / 1000 })
