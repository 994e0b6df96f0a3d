import { once } from 'node:events'
import { openDatabase } from '../../src/db/connect.js'
import { createSharedToken } from '../../src/tokens/shared-token.js'
import { createTableStore } from '../../src/tokens/table-store.js'
import { fetchAccessToken } from '../../src/wechat/access-token.js'
import { createWechatHttp } from '../../src/wechat/http.js'

/**
 * A process of its own that asks for the shared token once it reads a line, and prints what it got as JSON.
 * Arguments: DATABASE_URL, base URL of WeChat, length of its lease in ms.
 */
const [, , databaseUrl = '', baseUrl = '', leaseMs = ''] = process.argv
const silent = { info() {}, warn() {}, error() {} }
const account = { appId: 'wx1', appSecret: 'secret', tokenMode: 'stable' } as const

const db = openDatabase(databaseUrl)
const http = createWechatHttp({ baseUrl, connections: 1 })
const token = createSharedToken({
  store: createTableStore(db, account.appId),
  appId: account.appId,
  fetchToken: (signal) => fetchAccessToken(http, account, signal),
  owner: `process-${process.pid}`,
  now: Date.now,
  logger: silent,
  timing: { leaseMs: Number(leaseMs), pollLastMs: 20 },
})

process.stdout.write('ready\n')
await once(process.stdin, 'data')
process.stdout.write(`${JSON.stringify({ token: await token.get() })}\n`)
process.stdin.destroy()
await http.close()
await db.destroy()
