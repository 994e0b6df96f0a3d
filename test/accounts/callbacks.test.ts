import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { dialects } from '../helpers/database.js'
import { A as ALPHA, B as BETA, useTwoAccounts } from '../helpers/two-accounts.js'

const A = { ...ALPHA, callback: { token: 'TokenOfAlpha2026', encodingAesKey: '', url: '' } }
const B = { ...BETA, callback: { token: 'TokenOfBeta2026', encodingAesKey: '', url: '' } }
const LIMIT = 3

describe.each(dialects)('pushes for several accounts on %s', (dialect) => {
  const two = useTwoAccounts(dialect)
  let pushes = 0

  function signed(token: string): string {
    const [timestamp, nonce] = [String(Math.floor(two.clock.now() / 1_000)), `n${++pushes}`]
    const signature = createHash('sha1').update([token, timestamp, nonce].sort().join('')).digest('hex')
    return `signature=${signature}&timestamp=${timestamp}&nonce=${nonce}`
  }
  const EVENT = {
    ToUserName: 'gh_1',
    FromUserName: 'oSomebody',
    CreateTime: 1_795_000_000,
    MsgType: 'event',
    Event: 'unsubscribe',
  }
  const push = async (path: string, token: string) =>
    (await two.call('POST', `/wechat/callback${path}?${signed(token)}`, EVENT)).status

  test('each is stored for the account in the address, and read with its key', async () => {
    await two.start([A, B])
    expect(await push('/wxBeta', B.callback.token)).toBe(200)
    expect(await push('/wxBeta', A.callback.token)).toBe(403)
    const rows = await selectRows(two.database.db, 'SELECT app_id, event FROM wx_callback_event')
    expect(rows).toEqual([{ app_id: 'wxBeta', event: 'unsubscribe' }])
  })

  test('an address without an account is told what to enter, and with one account it works', async () => {
    const service = await two.start([A, B])
    const answer = await two.call('POST', `/wechat/callback?${signed(A.callback.token)}`, EVENT)
    expect(answer.status).toBe(404)
    expect(answer.text).toContain('/wechat/callback/APP_ID')
    expect(await push('/wxGamma', A.callback.token)).toBe(404)
    await service.change({ accounts: [A] })
    expect(await push('', A.callback.token)).toBe(200)
  })

  test('a wrong token of one does not keep out what comes for the other from the same address', async () => {
    await two.start([A, B], { RATE_LIMITS: `refused:${LIMIT}` })
    const statuses: number[] = []
    for (let i = 0; i <= LIMIT; i++) statuses.push(await push('/wxAlpha', 'not-the-token'))
    expect(statuses).toEqual([...Array(LIMIT).fill(403), 429])
    expect(await push('/wxBeta', 'not-the-token')).toBe(403)
    expect(await push('/wxBeta', B.callback.token)).toBe(200)
  })
})
