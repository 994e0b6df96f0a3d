import { describe, expect, test } from 'vitest'
import { dialects } from '../helpers/database.js'
import { API_KEY } from '../helpers/service.js'
import { useSessionService } from '../helpers/sessions.js'

const EIGHT = Date.parse('2026-11-20T08:00:00+08:00')

describe.each(dialects)('GET /v1/users/{user_id}/explain on %s', (dialect) => {
  const env = { TIMEZONE: 'Asia/Shanghai', REMINDER_TEMPLATE_ID: 'daily' }
  const service = useSessionService(dialect, { now: () => EIGHT, env })

  const get = (path: string, credential = API_KEY) =>
    service.request('GET', `/v1/users/${path}`, { headers: { authorization: `Bearer ${credential}` } })

  test('answers for today, and for the day that is named', async () => {
    await service.post('/v1/form-ids', { open_id: 'oPerson', user_id: 1, form_id: 'a-form-id' })
    const today = await get('1/explain')
    expect(today).toMatchObject({
      status: 200,
      body: {
        user_id: 1,
        date: '2026-11-20',
        outcome: 'will_be_reminded',
        sentence: expect.stringContaining('2026-11-20 10:00:00'),
        sentence_zh: expect.stringContaining('2026-11-20 10:00:00'),
        checks: expect.arrayContaining([expect.objectContaining({ name: 'has_permit', ok: true })]),
      },
    })
    expect(JSON.stringify(today.body)).not.toContain('oPerson')
    expect((await get('1/explain?date=2026-11-21')).body).toMatchObject({ outcome: 'no_permit' })
    expect((await get('1/explain?date=2026-11-19')).body).toMatchObject({ outcome: 'not_known' })
  })

  test('a user whom nobody has seen is an answer, not an error', async () => {
    expect(await get('9223372036854775807/explain')).toMatchObject({
      status: 200,
      body: { user_id: '9223372036854775807', outcome: 'not_known' },
    })
  })

  test.each(['2026-02-30', 'tomorrow', '2028-01-01'])(
    'refuses the day %s with the field named',
    async (date) => {
      const answer = await get(`1/explain?date=${date}`)
      expect(answer).toMatchObject({ status: 422, body: { error: { code: 'invalid_request' } } })
      expect(JSON.stringify(answer.body)).toContain('date')
    },
  )

  test('refuses a user_id that is none, and who has no key', async () => {
    expect(await get('x/explain')).toMatchObject({ status: 422 })
    expect(await get('1/explain', 'wrong')).toMatchObject({ status: 401 })
  })
})
