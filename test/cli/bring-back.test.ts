import { beforeEach, expect, test } from 'vitest'
import { execute, selectRows } from '../../src/db/sql.js'
import { businessDate } from '../../src/lib/business-date.js'
import { runCommand } from '../helpers/command-line.js'
import { APP_ID } from '../helpers/constants.js'
import { useDatabase } from '../helpers/database.js'

// @module-tag programs

const database = useDatabase('sqlite')

beforeEach(async () => {
  await execute(
    database.db,
    `INSERT INTO wx_user (app_id, open_id, user_id, opted_out_at, created_at, updated_at) VALUES (?, 'oA', 7, 5, 1, 1)`,
    [APP_ID],
  )
})

const run = (...words: string[]) => runCommand(words, { WX_APP_ID: APP_ID, DATABASE_URL: database.url })

async function isStopped(): Promise<boolean> {
  const rows = await selectRows(database.db, 'SELECT 1 FROM wx_user WHERE opted_out_at IS NOT NULL')
  return rows.length > 0
}

test('bring-back by name ends whatever stops somebody, and a dry run does not', async () => {
  const dry = await run('bring-back', '--user', '7', '--dry-run', '--json')
  expect(JSON.parse(dry.stdout)).toEqual({ dry_run: true, people: 1, permits: 0 })
  expect(await isStopped()).toBe(true)
  const done = await run('bring-back', '--open-id', 'oA', '--json')
  expect(done).toMatchObject({ code: 0, stdout: '{"dry_run":false,"people":1,"permits":0}\n' })
  expect(await isStopped()).toBe(false)
})

test('bring-back in bulk leaves what no message recorded, and refuses words that make no sense', async () => {
  const since = await run('bring-back', '--since', '2026-11-01 00:00', '--json')
  expect(since).toMatchObject({ code: 0, stdout: '{"dry_run":false,"people":0,"permits":0}\n' })
  expect(await isStopped()).toBe(true)
  const ends = await Promise.all([
    run('bring-back', '--json'),
    run('bring-back', '--run', '99', '--json'),
    run('bring-back', '--since', 'yesterday', '--json'),
  ])
  expect(ends.map(({ code }) => code)).toEqual([1, 1, 1])
  expect(ends.map(({ stdout }) => JSON.parse(stdout).error.code)).toEqual([
    'invalid_request',
    'not_found',
    'invalid_request',
  ])
})

test('restored answers with one object', async () => {
  const ended = await run('restored', '--since', '2026-11-20 09:00', '--dry-run', '--json')
  expect(ended.code).toBe(0)
  const answer = JSON.parse(ended.stdout)
  expect(answer).toMatchObject({ dry_run: true, permits_in_doubt: 0, open_messages: 0 })
  expect(answer.days.length).toBeGreaterThanOrEqual(
    businessDate(Date.now(), 'Asia/Shanghai') > 20_261_120 ? 1 : 0,
  )
})
