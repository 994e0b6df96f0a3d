import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Account } from '../../src/account.js'
import { readAccount } from '../../src/config/read.js'
import type { Base } from '../../src/deps.js'
import type { Finding } from '../../src/findings/finding.js'
import { examineCallback } from '../../src/operations/callback-check.js'
import { findCallbackTarget } from '../../src/operations/callback-target.js'
import { dialects, emptyTables } from '../helpers/database.js'
import { silentLog } from '../helpers/rows.js'
import { SERVICE_ENV, startTestService, useService } from '../helpers/service.js'
import { refusedUrl } from '../helpers/wechat.js'

const CALLBACK = {
  WX_CALLBACK_TOKEN: 'TokenOfTheTests2026',
  WX_ENCODING_AES_KEY: 'u8jzPde0IgxLd6GncfBAepfJBd0Kh8oOOL8dKLzdocJ',
}
const OTHER_KEY = '2isAjIhKtJ0RlgLKOmxgJTeKdNnFRIBXuDL7DxtpYlS'
const PLAIN = { WX_ENCODING_AES_KEY: '' }

describe.each(dialects)('the callback self-test on %s', (dialect) => {
  const service = useService(dialect, { env: CALLBACK })

  const base = (): Base => ({ db: service.db, log: silentLog, now: Date.now, close: async () => {} })
  const accountWith = (env: Record<string, string>): Account =>
    readAccount({ ...SERVICE_ENV, ...CALLBACK, ...env })
  async function examine(env: Record<string, string>, port = 1): Promise<Finding> {
    const account = accountWith(env)
    const target = await findCallbackTarget(base(), { host: '127.0.0.1', port }, account)
    return examineCallback(account, target, Date.now)
  }
  const urlOf = (path = '/wechat/callback') => ({ WX_CALLBACK_URL: service.url + path })

  /** Something else at the address. */
  async function stranger(listener: RequestListener): Promise<{ WX_CALLBACK_URL: string }> {
    const server = createServer(listener)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    return { WX_CALLBACK_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }
  }

  test('passes at the service that runs here, and leaves one row that does nothing', async () => {
    await emptyTables(service.db)
    const finding = await examine({}, Number(new URL(service.url).port))
    expect(finding).toMatchObject({ name: 'callback', status: 'ok' })
    expect(finding.reason).toContain(`${service.url}/wechat/callback`)
    expect(await service.db('wx_callback_event')).toMatchObject([
      { event: 'self_test', state: 'done', outcome: 'ignored' },
    ])
    expect(await service.db('wx_user')).toEqual([])
  })

  test('passes in this process where none runs', async () => {
    await emptyTables(service.db)
    const finding = await examine({})
    expect(finding).toMatchObject({ status: 'ok', reason: expect.stringContaining('in this process') })
    expect(await service.db('wx_callback_event')).toHaveLength(1)
  })

  test('warns of plain mode, of a port that WeChat does not call, and of no token where events matter', async () => {
    expect(await examine(PLAIN)).toMatchObject({ status: 'warn', fix: expect.stringContaining('safe mode') })
    expect(await examine(urlOf())).toMatchObject({
      status: 'warn',
      fix: expect.stringContaining('80 and 443'),
    })
    const off = { WX_CALLBACK_TOKEN: '' }
    expect(await examine(off)).toMatchObject({ status: 'ok', reason: expect.stringContaining('off') })
    expect(await examine({ ...off, WX_CHANNEL: 'subscribe' })).toMatchObject({ status: 'warn' })
  })

  test.each([
    [
      'another token',
      { WX_CALLBACK_TOKEN: 'AnotherTokenOfTests' },
      /check of the URL: answered 403 \(signature\)/,
      /TOKEN/,
    ],
    ['another key', { WX_ENCODING_AES_KEY: OTHER_KEY }, /event in safe mode: .*\(content\)/, /AES_KEY/],
    ['no key here, one there', PLAIN, /event in plain mode: .*\(not_encrypted\)/, /AES_KEY/],
    ['another app_id', { WX_APP_ID: 'wx-another' }, /event in safe mode: .*\(content\)/, /APP_ID/],
  ])('says which step fails, and the fix: %s', async (_, env, reason, fix) => {
    expect(await examine({ ...urlOf(), ...env })).toMatchObject({
      status: 'fail',
      reason: expect.stringMatching(reason),
      fix: expect.stringMatching(fix),
    })
  })

  test('tells a wrong path from a service without a token', async () => {
    expect(await examine(urlOf('/wechat'))).toMatchObject({
      status: 'fail',
      fix: expect.stringContaining('/wechat/callback'),
    })
    const off = await startTestService('sqlite')
    onTestFinished(() => off.close())
    expect(await examine({ WX_CALLBACK_URL: `${off.url}/wechat/callback` })).toMatchObject({
      status: 'fail',
      fix: 'Start the service with WX_CALLBACK_TOKEN.',
    })
  })

  test('says that nobody answers', async () => {
    expect(await examine({ WX_CALLBACK_URL: await refusedUrl() })).toMatchObject({
      status: 'fail',
      reason: expect.stringContaining('no answer (ECONNREFUSED)'),
      fix: expect.stringContaining('WX_CALLBACK_URL'),
    })
  })

  test('notices who answers in place of the service', async () => {
    const page = await stranger((_, response) => response.end('<html>welcome</html>'))
    expect(await examine(page)).toMatchObject({
      status: 'fail',
      reason: expect.stringContaining('not the echostr'),
    })
    const redirect = await stranger((_, response) => response.writeHead(301, { location: '/' }).end())
    expect(await examine(redirect)).toMatchObject({
      status: 'fail',
      fix: expect.stringContaining('not follow redirects'),
    })
    const half = await stranger((request, response) => {
      const echo = new URL(request.url ?? '', 'http://here').searchParams.get('echostr')
      response.end(request.method === 'GET' ? echo : 'ok')
    })
    expect(await examine(half)).toMatchObject({
      status: 'fail',
      reason: expect.stringContaining('not "success"'),
    })
    const broken = await stranger((_, response) => response.writeHead(502).end('bad gateway'))
    expect(await examine(broken)).toMatchObject({ status: 'fail', reason: expect.stringContaining('502') })
  })
})
