import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MAX_MISTAKEN_ATTEMPTS, MAX_SUBMITTED_ATTEMPTS } from '../../src/messages/verdict.js'
import { MAX_OPEN_PER_USER } from '../../src/submitted/add-messages.js'
import { STATES, TEMPLATE } from '../../src/submitted/schemas.js'
import { DAY_MS } from '../helpers/constants.js'
import { addPermits } from '../helpers/rows.js'
import { API_KEY, startTestService, type TestService } from '../helpers/service.js'
import { codeIn, languagesOf, read, rowsOf, wordOf } from './pages.js'

let service: TestService
beforeAll(async () => {
  service = await startTestService('sqlite', {
    env: { TEMPLATES: TEMPLATE },
    wechatUrl: () => 'http://127.0.0.1:1',
  })
  await service.of().submitted.stop()
})
afterAll(() => service.close())

/** The calls of a block: method, path, key, body, and the answer that a comment shows. */
const callsIn = (block: string) =>
  [
    ...block.matchAll(
      /^curl -X (\w+) '?http:\/\/127\.0\.0\.1:3000([^\s']+)'? -H [^\n]*(?:\n +-H 'Idempotency-Key: (\S+)' \\)?(?:\n +-d '([^']*)')?(?:\n# (\d+) (.*))?/gm,
    ),
  ].map(([, method = '', path = '', key, body, status, answer]) => ({
    method,
    path,
    key,
    body,
    status,
    answer,
  }))

describe.each(languagesOf('docs/messages.md'))('%s', (page) => {
  const text = read(page)

  test('lists exactly the states of a message', () => {
    expect(rowsOf(page, 'state', '状态').map(([state]) => wordOf(state))).toEqual([...STATES])
  })

  test('says the limits that there are', () => {
    for (const limit of [MAX_OPEN_PER_USER, MAX_SUBMITTED_ATTEMPTS, MAX_MISTAKEN_ATTEMPTS])
      expect(text).toMatch(new RegExp(`\\b${limit}\\b`))
  })

  test('shows calls that are answered like that', async () => {
    for (const table of ['wx_submission', 'wx_submitted_message', 'wx_push_message', 'wx_save_form_id'])
      await service.db(table).delete()
    await service.db.raw("DELETE FROM sqlite_sequence WHERE name = 'wx_push_message'")
    const expire = Date.now() + 5 * DAY_MS
    await addPermits(service.db, [
      { user_id: 9001, expire },
      { user_id: 9001, expire },
    ])
    const [calls = []] = codeIn(text, 'sh').map(callsIn)
    expect(calls).toHaveLength(4)
    for (const { method, path, key, body, status = '200', answer } of calls) {
      const given = await service.request(method, path, {
        ...(body === undefined ? {} : { body }),
        headers: {
          authorization: `Bearer ${API_KEY}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(key === undefined ? {} : { 'idempotency-key': key }),
        },
      })
      expect(String(given.status), `${method} ${path}: ${given.text}`).toBe(status)
      if (answer !== undefined) expect(given.body).toEqual(JSON.parse(answer))
    }
  })
})
