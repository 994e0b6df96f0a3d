import { describe, expect, it } from 'vitest'
import { readAccount } from '../../src/config/read.js'
import { openDatabase } from '../../src/db/connect.js'
import { assertClocksAgree, measureSkew } from '../../src/operations/clock.js'
import { examine } from '../../src/operations/doctor.js'
import { pendingMigrations } from '../../src/schema.js'
import { errcodeOf } from '../../src/wechat/errcodes.js'
import { TokenError } from '../../src/wechat/token-error.js'
import { muteAuxiliary } from '../helpers/auxiliary.js'
import { createEmptyDatabase, dialects, useDatabase } from '../helpers/database.js'

const account = readAccount({ WX_APP_ID: 'wx1', WX_APP_SECRET: 'secret' })
const getToken = async (): Promise<string> => 'token'
const known = { pendingMigrations, account, getToken, auxiliary: muteAuxiliary }

describe.each(dialects)('the doctor on %s', (dialect) => {
  const database = useDatabase(dialect, { keepRows: true })

  const statuses = async (deps: Partial<Parameters<typeof examine>[0]>) => {
    const findings = await examine({ db: database.db, ...known, systemNow: Date.now, ...deps })
    return Object.fromEntries(findings.map(({ name, status }) => [name, status]))
  }

  it('finds nothing wrong where nothing is, but that nobody is reminded without a template', async () => {
    expect(await statuses({})).toEqual({
      database: 'ok',
      migrations: 'ok',
      time_zone: 'ok',
      clock: 'ok',
      pool: 'ok',
      writes: 'ok',
      messages: 'ok',
      token: 'ok',
      template: 'warn',
    })
  })

  it('warns of a version of the mini-program that users do not have, where messages open one', async () => {
    const subscribe = { ...account, channel: 'subscribe' as const }
    expect(await statuses({ account: subscribe })).toMatchObject({ miniprogram_state: 'ok' })
    for (const miniprogramState of ['developer', 'trial'] as const) {
      const of = { ...known, account: { ...subscribe, miniprogramState } }
      const findings = await examine({ db: database.db, ...of, systemNow: Date.now })
      expect(findings).toContainEqual({
        name: 'miniprogram_state',
        status: 'warn',
        reason: expect.stringContaining(miniprogramState),
        reason_zh: expect.stringContaining(miniprogramState),
        fix: expect.stringContaining('MINIPROGRAM_STATE=formal'),
        fix_zh: expect.stringContaining('MINIPROGRAM_STATE'),
      })
    }
  })

  it('names pending migrations and the command for them', async () => {
    const empty = await createEmptyDatabase(dialect)
    const findings = await examine({ db: empty.db, ...known, systemNow: Date.now })
    await empty.close()
    expect(findings).toContainEqual({
      name: 'migrations',
      status: 'fail',
      reason: expect.stringMatching(/^\d+ pending$/),
      reason_zh: expect.stringMatching(/^有 \d+ 个待执行$/),
      fix: 'Run: npm run migrate',
      fix_zh: '执行：npm run migrate',
    })
  })

  it('warns of a clock that is seconds off, and fails one that is far off', async () => {
    expect(await statuses({ systemNow: () => Date.now() - 5_000 })).toMatchObject({ clock: 'warn' })
    expect(await statuses({ systemNow: () => Date.now() + 60_000 })).toMatchObject({ clock: 'fail' })
  })

  it('tells why WeChat gives no token, and what to do', async () => {
    const refused = new TokenError('WeChat did not give an access token: 40164', errcodeOf(40164))
    const findings = await examine({
      db: database.db,
      ...known,
      systemNow: Date.now,
      getToken: () => Promise.reject(refused),
    })
    expect(findings.find(({ name }) => name === 'token')).toEqual({
      name: 'token',
      status: 'fail',
      finding: 'token_ip_not_allowed',
      reason: 'WeChat did not give an access token: 40164',
      reason_zh: expect.stringContaining('40164'),
      fix: expect.stringContaining('IP whitelist'),
      fix_zh: expect.stringContaining('IP 白名单'),
    })
  })

  it.each([
    [40125, 'fail', 'token_wrong_secret'],
    [40164, 'fail', 'token_ip_not_allowed'],
    [45009, 'ok', undefined],
    [-1, 'ok', undefined],
  ])(
    'looks beyond the stored token: at %i of the endpoint, the token is %s',
    async (errcode, status, finding) => {
      const refused = new TokenError(`no token: ${errcode}`, errcodeOf(errcode))
      const checkSecret = () => Promise.reject(refused)
      const findings = await examine({ db: database.db, ...known, systemNow: Date.now, checkSecret })
      expect(findings.find(({ name }) => name === 'token')).toMatchObject({
        status,
        ...(finding && { finding }),
      })
    },
  )

  it('warns of another program that fetches tokens, once this process has seen a token die early', async () => {
    const tokenCounters = () => ({ refreshed: 2, failed: 0, earlyDeaths: { count: 1, firstAt: 1 } })
    const findings = await examine({ db: database.db, ...known, systemNow: Date.now, tokenCounters })
    expect(findings.find(({ name }) => name === 'token')).toMatchObject({
      status: 'warn',
      finding: 'token_foreign_refresher',
      fix: expect.stringContaining('WX_TOKEN_MODE=stable'),
    })
  })

  it('measures the skew with its sign', async () => {
    expect(await measureSkew(database.db, () => Date.now() - 10_000)).toBeGreaterThan(9_000)
    expect(await measureSkew(database.db, () => Date.now() + 10_000)).toBeLessThan(-9_000)
  })

  it('lets no job run when the clocks are half a minute apart', async () => {
    await expect(assertClocksAgree(database.db, () => Date.now() - 31_000)).rejects.toThrow(/differ by 31 s/)
    await expect(assertClocksAgree(database.db, Date.now)).resolves.toBeUndefined()
  })
})

it('the doctor says of a database that cannot be reached just that', async () => {
  const db = openDatabase('mysql://nobody:hidden@127.0.0.1:1/none')
  const findings = await examine({ db, ...known, systemNow: Date.now })
  await db.destroy()
  expect(findings).toEqual([
    {
      name: 'database',
      status: 'fail',
      reason: 'cannot be reached: ECONNREFUSED',
      reason_zh: '无法连接：ECONNREFUSED',
      fix: 'Check DATABASE_URL and that the server is running.',
      fix_zh: '检查 DATABASE_URL，并确认数据库正在运行。',
    },
  ])
})
