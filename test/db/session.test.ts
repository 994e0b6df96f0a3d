import type { Knex } from 'knex'
import knex from 'knex'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { FORM_ID_LIFETIME_MS } from '../../src/books/index.js'
import { readAccount } from '../../src/config/read.js'
import { knexConfig, openDatabase } from '../../src/db/connect.js'
import type { MysqlConnection } from '../../src/db/mysql-session.js'
import { selectRows } from '../../src/db/sql.js'
import { examine } from '../../src/operations/doctor.js'
import { createIngest } from '../../src/permits/ingest.js'
import { pendingMigrations } from '../../src/schema.js'
import { muteAuxiliary } from '../helpers/auxiliary.js'
import { migrate } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { type MysqlServer, startMysqlServer } from '../helpers/mysql-server.js'
import { SERVICE_ENV } from '../helpers/service.js'

// @module-tag mysql

const NOW = Date.UTC(2026, 10, 21, 2)

const silent = { warn() {}, error() {}, debug() {}, deprecate() {} }

const SERVERS: [string, string[], string][] = [
  [
    'takes a backslash for a letter and double quotes for names',
    ['--sql-mode=NO_BACKSLASH_ESCAPES,ANSI_QUOTES,PIPES_AS_CONCAT'],
    "', 9999999999999, 1, 1) -- ",
  ],
  [
    // The last byte of 中 and the backslash that escapes the quote would be one letter of GBK.
    'lays down GBK whatever the client says',
    ['--loose-skip-character-set-client-handshake', '--character-set-server=gbk'],
    "中', 9999999999999, 1, 1) -- ",
  ],
]

describe.each(SERVERS)('a server that %s', (_, options, page) => {
  let server: MysqlServer
  let url: string
  const pools: Knex[] = []

  beforeAll(async () => {
    server = await startMysqlServer(options)
    const root = openDatabase(server.url)
    await root.raw('CREATE DATABASE reminder CHARACTER SET utf8mb4')
    await root.destroy()
    url = `${server.url}/reminder`
  })
  afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.destroy())))
  afterAll(() => server.stop())

  function open(changes: Knex.Config['pool'] = {}): Knex {
    const config = knexConfig(url)
    const db = knex({ ...config, log: silent, pool: { ...config.pool, ...changes } })
    pools.push(db)
    return db
  }

  /** Something between here and the server that writes its own settings into ours. */
  function openThroughMeddler(pattern: RegExp, instead: string): Knex {
    const prepare = knexConfig(url).pool?.afterCreate
    return open({
      afterCreate: (connection: MysqlConnection, done: (error: unknown, c: unknown) => void) =>
        prepare?.(
          {
            query: (statement, answer) =>
              connection.query({ ...statement, sql: statement.sql.replace(pattern, instead) }, answer),
            destroy: () => connection.destroy(),
          } satisfies MysqlConnection,
          done,
        ),
    })
  }

  test('stores what a client sends as it came, and as nothing else', async () => {
    const db = open()
    await migrate(db, { appId: 'wx0123456789abcdef' })
    const upload = {
      appId: 'wx0123456789abcdef',
      openId: 'o-1',
      userId: 1,
      formId: 'f-1',
      source: 'form' as const,
      page,
      submittedAt: undefined,
    }
    expect(await createIngest(db).upload([upload], NOW)).toEqual([{ outcome: 'accepted' }])
    expect(await selectRows(db, 'SELECT form_id, page, expire, status FROM wx_save_form_id')).toEqual([
      { form_id: 'f-1', page, expire: NOW + FORM_ID_LIFETIME_MS, status: 0 },
    ])
  })

  test.each([
    [/sql_mode = '/, "sql_mode = 'NO_BACKSLASH_ESCAPES,", 'sql_mode is "[^"]*NO_BACKSLASH_ESCAPES'],
    [/sql_mode = '[^']*'/, "sql_mode = ''", 'sql_mode is ""'],
    [/NAMES \w+/, 'NAMES gbk', 'character_set_client "gbk"'],
  ])('is not talked to in a session with other settings: %s', async (pattern, instead, says) => {
    const db = openThroughMeddler(pattern, instead)
    await expect(db.raw('SELECT 1')).rejects.toThrow(new RegExp(says))
    const findings = await examine({
      db,
      pendingMigrations,
      account: readAccount(SERVICE_ENV),
      systemNow: () => NOW,
      getToken: async () => '',
      auxiliary: muteAuxiliary,
    })
    expect(findings).toEqual([
      {
        name: 'database',
        status: 'fail',
        reason: expect.stringMatching(new RegExp(says)),
        reason_zh: expect.stringMatching(new RegExp(says)),
      },
    ])
    const root = open()
    await eventually('it is closed', async () => {
      const sessions = await selectRows(
        root,
        'SELECT id FROM information_schema.processlist WHERE db = DATABASE()',
      )
      return sessions.length === 1
    })
  })
})
