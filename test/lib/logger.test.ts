import { expect, test } from 'vitest'
import { createLogger } from '../../src/lib/logger.js'
import { useDatabase } from '../helpers/database.js'

// @module-tag mysql

const OPEN_ID = 'oAbC-9_0001xYzQwErTyUiOpAsDf'

const database = useDatabase('mysql', { keepRows: true })

function logged(error: unknown): string {
  const lines: string[] = []
  const log = createLogger({ level: 'info', secrets: [], output: { write: (line) => lines.push(line) } })
  log.error({ event: 'test.failed', err: error }, 'a test')
  return lines.join('')
}

test('an error of the database is logged without the values of its statement', async () => {
  const statement = database.db.raw('INSERT INTO wx_user (app_id, open_id, nonsense) VALUES (?, ?, ?)', [
    'wx1',
    OPEN_ID,
    1,
  ])
  const error = await statement.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(JSON.stringify(error)).toContain(OPEN_ID)
  const line = logged(error)
  expect(line).not.toContain(OPEN_ID)
  expect(JSON.parse(line)).toMatchObject({
    event: 'test.failed',
    err: {
      type: 'Error',
      code: 'ER_BAD_FIELD_ERROR',
      message: expect.stringContaining('INSERT INTO wx_user'),
      stack: expect.stringContaining('mysql2'),
    },
  })
})

test('a duplicate is logged without the key that was there already', async () => {
  const insert = () =>
    database
      .db('wx_user')
      .insert({ app_id: 'wx1', open_id: OPEN_ID, user_id: 1, created_at: 1, updated_at: 1 })
  await insert()
  const error: unknown = await insert().catch((reason: unknown) => reason)
  expect(String(error)).toContain(`Duplicate entry 'wx1-${OPEN_ID}'`)
  const line = logged(error)
  expect(line).not.toContain(OPEN_ID)
  expect(line).toContain("Duplicate entry '***' for key")
})

test('what is thrown and is no error is logged as it is', () => {
  expect(JSON.parse(logged('a word'))).toMatchObject({ err: 'a word' })
})
