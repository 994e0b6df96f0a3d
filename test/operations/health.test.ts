import { describe, expect, test } from 'vitest'
import { dialects } from '../helpers/database.js'
import { useService } from '../helpers/service.js'

describe.each(dialects)('on %s', (dialect) => {
  const service = useService(dialect)

  test.each(['/healthz', '/readyz'])('%s says ok when all is well, and asks for no key', async (path) => {
    const answer = await service.request('GET', path)
    expect(answer.status).toBe(200)
    expect(answer.body).toMatchObject({ status: 'ok' })
  })

  test('/healthz says which version answers', async () => {
    const answer = await service.request('GET', '/healthz')
    expect(answer.body).toEqual({ status: 'ok', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) })
  })

  test('/readyz tells of pending migrations and what to do, /healthz does not mind', async () => {
    const [last] = await service.db('knex_migrations').orderBy('id', 'desc').limit(1)
    await service.db('knex_migrations').where({ id: last.id }).delete()
    const answer = await service.request('GET', '/readyz')
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).not.toBeNull()
    expect(answer.body).toEqual({
      error: {
        code: 'not_ready',
        message: expect.stringMatching(/^1 migrations are pending.*npm run migrate/),
      },
    })
    expect((await service.request('GET', '/healthz')).status).toBe(200)

    await service.db('knex_migrations').insert(last)
    expect((await service.request('GET', '/readyz')).status).toBe(200)
  })
})
