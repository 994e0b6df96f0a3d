import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readAccount, readConfig } from '../../src/config/read.js'
import { selectRows } from '../../src/db/sql.js'
import { audit } from '../../src/operations/audit.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import { startService } from '../../src/service.js'
import { createClock } from '../helpers/clock.js'
import { startCommand } from '../helpers/command-line.js'
import { NOW, TEMPLATE_ID, TODAY } from '../helpers/constants.js'
import { dialects, useDatabase } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { openSocket } from '../helpers/raw-socket.js'
import { API_KEY, SERVICE_ENV } from '../helpers/service.js'
import { insertUsers, users } from '../helpers/users.js'

// @module-tag long

const ACCOUNTS = 20
const USERS = 5
const IDS = Array.from({ length: ACCOUNTS }, (_, i) => `wxMany${String(i).padStart(2, '0')}`)
const secretOf = (appId: string) => `secret-of-${appId}-0001`

describe.each(dialects)('on %s', (dialect) => {
  const { db, url } = useDatabase(dialect)
  const clock = createClock(NOW)
  let wechat: Sandbox
  beforeAll(async () => {
    wechat = await startSandbox({
      now: clock.now,
      accounts: IDS.map((appId) => ({
        appId,
        secret: secretOf(appId),
        templates: { [TEMPLATE_ID]: ['thing1'] },
      })),
    })
  })
  afterAll(() => wechat.close())

  test('twenty accounts in one process run at the same hour, each its own users', async () => {
    for (const appId of IDS)
      await insertUsers(db, wechat.control, { appId, today: TODAY, now: NOW }, [users(1, USERS).permits(1)])
    const accounts = IDS.map((WX_APP_ID) =>
      readAccount({
        WX_APP_ID,
        WX_APP_SECRET: secretOf(WX_APP_ID),
        REMINDER_TEMPLATE_ID: TEMPLATE_ID,
        REMINDER_DATA: '{"thing1":"每日签到"}',
      }),
    )
    const config = readConfig({ ...SERVICE_ENV, DATABASE_URL: url, WX_API_BASE_URL: wechat.url })
    const service = await startService(config, { accounts }, { migrate: true, now: clock.now })
    try {
      service.startSchedule()
      await eventually('all runs are done', async () => {
        const rows = await selectRows(
          db,
          "SELECT app_id FROM wx_job_run WHERE job = 'remind' AND state = 'done'",
        )
        return rows.length === ACCOUNTS
      })
      expect(wechat.control.ledger()).toHaveLength(ACCOUNTS * USERS)
      const scrape = await fetch(`${service.url}/metrics`)
      expect(await scrape.text()).toContain('reminder_database_up 1')
    } finally {
      await service.stop()
    }
    expect(await audit(db, clock.now(), false)).toMatchObject({ ok: true })
  })

  test('SIGHUP makes a running program serve what the file says now', { tags: ['programs'] }, async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'accounts-')), 'accounts.json')
    const write = (appIds: string[], changes: object = {}) =>
      writeFileSync(
        file,
        JSON.stringify({
          accounts: appIds.map((app_id) => ({ app_id, app_secret: secretOf(app_id), ...changes })),
        }),
        { mode: 0o600 },
      )
    write(['wxMany00'])
    const program = startCommand(['serve', '--migrate'], {
      DATABASE_URL: url,
      WX_API_BASE_URL: wechat.url,
      ACCOUNTS_FILE: file,
      API_KEYS: `backend:${API_KEY}`,
      PORT: '0',
    })
    const logged = (event: string, times = 1) =>
      eventually(event, () => program.stderr.split(`"event":"${event}"`).length > times)
    await logged('service.starting')
    // In the middle of its start: it is not the end of the program, and is not forgotten.
    write(['wxMany00', 'wxMany01'])
    program.kill('SIGHUP')
    await logged('service.started')
    await logged('account.started')
    writeFileSync(file, '{"accounts":[')
    program.kill('SIGHUP')
    await logged('accounts.refused')
    write(['wxMany01'], { timezone: 'Asia/Tokyo' })
    program.kill('SIGHUP')
    await logged('account.stopped')
    await logged('account.restarted')
    await eventually('the program is said to serve the new accounts', async () => {
      const instances = await selectRows<{ app_id: string }>(db, 'SELECT app_id FROM wx_instance')
      return instances.map(({ app_id }) => app_id).join() === 'wxMany01'
    })
    const [, listening = ''] = /"url":"([^"]+)"/.exec(program.stderr) ?? []
    const head = `POST /v1/form-ids HTTP/1.1\r\nhost: x\r\nx-api-key: ${API_KEY}\r\n`
    const half = await openSocket(
      listening,
      `${head}content-type: application/json\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n{`,
    )
    await eventually('half of a request has arrived', () => half.received() !== '')
    program.kill('SIGTERM')
    await logged('service.stopping')
    // In the middle of its stop, which waits for the request: it goes on.
    program.kill('SIGHUP')
    half.socket.destroy()
    expect((await program.ended).code).toBe(0)
    expect(program.stderr).not.toContain(secretOf('wxMany01'))
  })
})
