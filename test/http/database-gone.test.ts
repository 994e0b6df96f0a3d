import { afterAll, beforeAll, expect, test } from 'vitest'
import { audit } from '../../src/operations/audit.js'
import { createTestDatabase, type TestDatabase } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { countRows } from '../helpers/rows.js'
import { startTestService, type TestService } from '../helpers/service.js'
import { timed } from '../helpers/stopwatch.js'
import { startTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.js'

// @module-tag mysql

let database: TestDatabase
let line: TcpProxy
let service: TestService

beforeAll(async () => {
  database = await createTestDatabase('mysql')
  line = await startTcpProxy(database.url)
  service = await startTestService('mysql', { env: { DATABASE_URL: line.url } })
})
afterAll(async () => {
  line.mend()
  await service.close()
  await line.close()
  await database.close()
})

const upload = (i: number) =>
  service.post('/v1/form-ids', { open_id: `o${i % 7}`, user_id: i % 7, form_id: `F${i}` })

test('a service without its database says so, and works again by itself when it is back', async () => {
  expect((await upload(0)).status).toBe(201)
  line.cut()

  for (const [path, body] of [
    ['/v1/form-ids', { open_id: 'o1', user_id: 1, form_id: 'F1' }],
    ['/v1/sign-ins', { user_id: 1 }],
  ] as const) {
    const answer = await service.post(path, body)
    expect(answer.status).toBe(503)
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(answer.body).toEqual({
      error: { code: 'not_ready', message: 'The database does not answer; try again shortly' },
    })
  }
  const ready = await service.request('GET', '/readyz')
  expect(ready.status).toBe(503)
  expect(ready.body).toEqual({ error: { code: 'not_ready', message: 'The database does not answer' } })
  expect((await service.request('GET', '/healthz')).status).toBe(200)
  // What never gets to the database is answered as ever.
  expect((await service.post('/v1/form-ids', '{')).status).toBe(400)

  line.mend()
  expect((await upload(1)).status).toBe(201)
  expect((await service.request('GET', '/readyz')).status).toBe(200)
})

test('an upload that was answered 201 is there, however often the line breaks', async () => {
  const stored = new Set<number>()
  const statuses = new Set<number>()
  let next = 100
  for (let round = 0; round < 4; round++) {
    const calls = Array.from({ length: 60 }, () => {
      const i = next++
      return upload(i).then(({ status }) => {
        statuses.add(status)
        if (status === 201) stored.add(i)
      })
    })
    const { wx_save_form_id: before } = await countRows(database.db)
    await eventually(
      'some uploads are stored',
      async () => (await countRows(database.db)).wx_save_form_id > before,
    )
    line.cut()
    await Promise.all(calls)
    line.mend()
  }
  expect([...statuses].filter((status) => status !== 201 && status !== 503)).toEqual([])

  for (const i of stored) {
    // A connection that broke unnoticed costs one more 503.
    const again = await eventually('an answer', () =>
      upload(i).then((answer) => answer.status === 201 && answer),
    )
    expect(again.body).toMatchObject({ duplicates: 1 })
  }
  expect(await audit(database.db, Date.now(), false)).toMatchObject({ ok: true })
})

test('a service whose database hangs says so within seconds, long before it gives a statement up', async () => {
  expect((await upload(1)).status).toBe(201)
  line.hang()
  const { result: ready, ms } = await timed(() => service.request('GET', '/readyz'))
  expect(ms).toBeLessThan(15_000)
  expect(ready.status).toBe(503)
  expect(ready.body).toEqual({ error: { code: 'not_ready', message: 'The database does not answer' } })
  line.cut()
  line.mend()
  await eventually('it is ready again', async () => (await service.request('GET', '/readyz')).status === 200)
})
