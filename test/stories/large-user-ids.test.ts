import { describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { addDays } from '../../src/lib/business-date.js'
import { createLogger } from '../../src/lib/logger.js'
import { MAX_USER_ID, type UserId } from '../../src/lib/user-id.js'
import type { HeldMessage } from '../../src/messages/message.js'
import { settleBatch } from '../../src/messages/settle.js'
import type { Verdict } from '../../src/messages/verdict.js'
import { expireStale } from '../../src/permits/expire.js'
import { createIngest } from '../../src/permits/ingest.js'
import { claimAll } from '../helpers/claims.js'
import { runCommand } from '../helpers/command-line.js'
import { APP_ID, DAY_MS, TODAY } from '../helpers/constants.js'
import { type Dialect, dialects } from '../helpers/database.js'
import { API_KEY } from '../helpers/service.js'
import { startSessionService, useSessionService } from '../helpers/sessions.js'
import { useWorld } from '../helpers/world.js'

/** Neighbours that are one number to JSON.parse and to a double, the largest of all, and an ordinary one. */
const IDS: UserId[] = [
  7,
  9007199254740991,
  9007199254740992n,
  9007199254740993n,
  1234567890123456788n,
  1234567890123456789n,
  MAX_USER_ID - 1n,
  MAX_USER_ID,
]
const LARGE = IDS.filter((id) => typeof id === 'bigint')
const openIdOf = (id: UserId) => `oLarge_${String(id).padStart(21, '0')}`
const inAnswers = (id: UserId) => (typeof id === 'bigint' ? String(id) : id)

describe.each(dialects)('user ids of up to 19 digits on %s', (dialect) => {
  describe('in the API', () => {
    const service = useSessionService(dialect)

    const get = (query: string, credential = API_KEY) =>
      service.request('GET', `/v1/permits?${query}`, { headers: { authorization: `Bearer ${credential}` } })
    const body = (id: string, formId: string) =>
      `{"open_id":"${openIdOf(BigInt(id))}","user_id":${id},"form_id":"${formId}"}`
    const uploadTwoOfEach = async () => {
      const items = ['one', 'two'].flatMap((name) => IDS.map((id) => body(String(id), `${name}-${id}`)))
      expect(await service.post('/v1/form-ids', `{"items":[${items.join(',')}]}`)).toMatchObject({
        status: 201,
      })
    }

    test('user ids of up to 19 digits in the API are told apart as numbers and as strings of digits, singly and in a batch', async () => {
      const items = IDS.map((id) => body(String(id), `number-${id}`))
      const numbers = await service.post('/v1/form-ids', `{"items":[${items.join(',')}]}`)
      expect(numbers).toMatchObject({ status: 201, body: { accepted: IDS.length } })
      for (const id of IDS) {
        const single = { open_id: openIdOf(id), user_id: String(id), form_id: `string-${id}` }
        expect(await service.post('/v1/form-ids', single)).toMatchObject({
          status: 201,
          body: { accepted: 1 },
        })
        const again = await service.post('/v1/form-ids', body(String(id), `string-${id}`))
        expect(again).toMatchObject({ status: 201, body: { duplicates: 1 } })
      }
      const rows = await selectRows(
        service.db,
        'SELECT user_id, count FROM wx_message_push_status ORDER BY user_id',
      )
      expect(rows).toEqual(IDS.map((user_id) => ({ user_id, count: 2 })))
    })

    test('user ids of up to 19 digits in the API are answered as they are: strings beyond 2^53 - 1, numbers below', async () => {
      await uploadTwoOfEach()
      for (const id of IDS) {
        expect(await get(`user_id=${id}`)).toMatchObject({ body: { user_id: inAnswers(id), permits: 2 } })
        expect(await get(`open_id=${openIdOf(id)}`)).toMatchObject({ body: { user_id: inAnswers(id) } })
        const session = await service.logIn(openIdOf(id))
        expect(session.body).toMatchObject({ user_id: inAnswers(id) })
        const { token } = session.body as { token: string }
        expect(await get('', token)).toMatchObject({ body: { user_id: inAnswers(id), permits: 2 } })
      }
    })

    test('user ids of up to 19 digits sign in, are bound, and hand permits over, each of them alone', async () => {
      await uploadTwoOfEach()
      for (const [i, id] of IDS.entries()) {
        const date = i % 2 === 0 ? ',"date":"2026-11-01"' : ''
        const signIn = await service.post('/v1/sign-ins', `{"user_id":${id}${date}}`)
        expect(signIn).toMatchObject({ status: 201, body: { streak: 1 } })
      }
      const signIns = await selectRows<{ user_id: UserId }>(
        service.db,
        'SELECT user_id FROM wx_sign_in ORDER BY user_id',
      )
      expect(signIns.map(({ user_id }) => user_id)).toEqual(IDS)

      const put = (open_id: string, user_id: string) =>
        service.request('PUT', '/v1/users', {
          body: JSON.stringify({ open_id, user_id, move_permits: true }),
          headers: { 'content-type': 'application/json', authorization: `Bearer ${API_KEY}` },
        })
      const from = openIdOf(9007199254740992n)
      expect((await put(from, '9007199254740993')).body).toMatchObject({
        user_id: '9007199254740993',
        moved: 2,
      })
      expect((await get('user_id=9007199254740992')).body).toMatchObject({ permits: 0 })
      expect((await get('user_id=9007199254740993')).body).toMatchObject({ permits: 4 })
    })

    test.each([
      '9223372036854775808',
      '"9223372036854775808"',
      '99999999999999999999',
      '"99999999999999999999"',
      '-9007199254740993',
      '"-1"',
      '"007"',
      '""',
      '"7 "',
      '1e18',
      '9007199254740993.0',
      '1234567890123456789e0',
    ])('%s is refused by its name, and stores nothing', async (id) => {
      const bodyOf = (userId: string, i: number) =>
        `{"open_id":"oBad${i}","user_id":${userId},"form_id":"bad-${i}"}`
      const refusal = (field: string) => ({ code: 'invalid_request', details: { field } })
      const stored = async () =>
        (
          await selectRows<{ form_id: string }>(
            service.db,
            'SELECT form_id FROM wx_save_form_id ORDER BY form_id',
          )
        ).map(({ form_id }) => form_id)

      expect(await service.post('/v1/form-ids', bodyOf(id, 0))).toMatchObject({
        status: 422,
        body: { error: refusal('user_id') },
      })
      expect(await service.post('/v1/sign-ins', `{"user_id":${id}}`)).toMatchObject({
        status: 422,
        body: { error: refusal('user_id') },
      })
      expect(await stored()).toEqual([])

      const items = ['1', '2', '3', id].map(bodyOf)
      expect(await service.post('/v1/form-ids', `{"items":[${items.join(',')}]}`)).toMatchObject({
        status: 201,
        body: {
          accepted: 3,
          rejected: 1,
          results: [{}, {}, {}, { outcome: 'rejected', error: refusal('items.3.user_id') }],
        },
      })
      expect(await stored()).toEqual(['bad-0', 'bad-1', 'bad-2'])
      const users = await selectRows(
        service.db,
        'SELECT user_id FROM wx_message_push_status ORDER BY user_id',
      )
      expect(users).toEqual([1, 2, 3].map((user_id) => ({ user_id })))
      expect(await selectRows(service.db, 'SELECT user_id FROM wx_sign_in')).toEqual([])
    })

    test('digits elsewhere in a body stay what they were', async () => {
      const text = 'a "user_id": 1234567890123456789, b'
      const permit = { open_id: 'oText', user_id: '1234567890123456700', form_id: 'text-1', page: text }
      await service.post('/v1/form-ids', permit)
      const [row] = await selectRows(
        service.db,
        "SELECT user_id, page FROM wx_save_form_id WHERE form_id = 'text-1'",
      )
      expect(row).toEqual({ user_id: 1234567890123456700n, page: text })
      const number = '{"open_id":"o","user_id":1234567890123456789,"form_id":1234567890123456789}'
      expect(await service.post('/v1/form-ids', number)).toMatchObject({
        status: 422,
        body: { error: { details: { field: 'form_id' } } },
      })
      expect((await service.post('/v1/form-ids', '{"user_id":1234567890123456789 1}')).status).toBe(400)
      expect((await service.post('/v1/form-ids', '{"user_id":01234567890123456789}')).status).toBe(400)
    })
  })

  describe('in the daily work', () => {
    const world = useWorld(dialect)

    /** So many permits of each, which run out in 1, 2, 3 … days. */
    async function upload(ids: UserId[], permits: number): Promise<void> {
      const { appId } = world.account
      const now = world.clock.now()
      const uploads = ids.flatMap((userId) =>
        Array.from({ length: permits }, (_, i) => {
          const openId = openIdOf(userId)
          const submittedAt = now - (6 - i) * DAY_MS
          const formId = world.wechat.issueFormId({ appId, openId, at: submittedAt })
          return { appId, openId, userId, formId, source: 'form' as const, page: undefined, submittedAt }
        }),
      )
      await createIngest(world.db).upload(uploads, now)
    }

    const counters = () =>
      selectRows<{ user_id: UserId; count: number; last_date: number }>(
        world.db,
        'SELECT user_id, count, last_date FROM wx_message_push_status ORDER BY user_id',
      )
    const reminded = () =>
      world.wechat
        .ledger()
        .map(({ open_id }) => open_id)
        .sort()

    test('user ids of up to 19 digits in the daily work are reminded once each, beside small ones', async () => {
      const small = Array.from({ length: 300 }, (_, i) => i + 10)
      await upload([...IDS, ...small], 1)
      const report = await world.startProcess().remind()
      expect(report).toMatchObject({
        state: 'done',
        due: IDS.length + small.length,
        delivered: IDS.length + small.length,
      })
      expect(reminded()).toEqual([...IDS, ...small].map(openIdOf).sort())
      expect(await world.startProcess().remind()).toMatchObject({ delivered: 0 })
      await world.expectSound()
    })

    test('user ids of up to 19 digits in the daily work are reminded once each where there are no others, claim by claim', async () => {
      await upload(LARGE, 2)
      const report = await world.startProcess({ concurrency: 1 }).remind()
      expect(report).toMatchObject({ state: 'done', delivered: LARGE.length })
      expect(await counters()).toEqual(LARGE.map((user_id) => ({ user_id, count: 1, last_date: TODAY })))
    })

    test('user ids of up to 19 digits in the daily work that signed in or opted out are passed over, and their neighbours are not', async () => {
      await upload(LARGE, 1)
      const [first, second, third, fourth] = LARGE
      await world.db('wx_sign_in').insert({
        app_id: world.account.appId,
        user_id: String(first),
        day: TODAY,
        streak: 1,
        created_at: 1,
      })
      await world
        .db('wx_user')
        .where({ user_id: String(third) })
        .update({ opted_out_at: 1 })
      await world.startProcess().remind()
      const expected = LARGE.filter((id) => id !== first && id !== third)
      expect(expected).toContain(second)
      expect(expected).toContain(fourth)
      expect(reminded()).toEqual(expected.map(openIdOf).sort())
    })

    /** Ends what was claimed, each in the same way. */
    async function settle(claimed: HeldMessage[], verdict: Verdict, errcode: number | null) {
      const answer = { errcode, errmsg: null, rid: null, msgid: null }
      const attempted = errcode !== null
      return settleBatch(
        world.db,
        claimed.map((message) => ({ message, verdict, answer, attempted })),
        world.clock.now(),
      )
    }

    test('user ids of up to 19 digits in the daily work get back what was claimed for them, and are claimed again', async () => {
      await upload(IDS, 1)
      const claimed = await claimAll(world)
      expect(claimed.map(({ userId }) => userId)).toEqual(IDS)
      const { tally } = await settle(claimed, { kind: 'give_back' }, null)
      expect(tally).toMatchObject({ cancelled: IDS.length })
      expect(await counters()).toEqual(IDS.map((user_id) => ({ user_id, count: 1, last_date: 0 })))
      // The first finds the ranges at their ends, and takes them back.
      const again = [...(await claimAll(world)), ...(await claimAll(world))]
      expect(again.map(({ userId }) => userId)).toEqual(IDS)
    })

    test('spend their own next permit when the first is dead', async () => {
      await upload(LARGE, 2)
      const claimed = await claimAll(world)
      const { next } = await settle(claimed, { kind: 'next_permit' }, 41028)
      expect(next.map((message) => message?.userId)).toEqual(LARGE)
      const messages = await selectRows<{ user_id: UserId; owner: UserId }>(
        world.db,
        `SELECT m.user_id, f.user_id AS owner FROM wx_push_message m
         JOIN wx_save_form_id f ON f.id = m.permit_id ORDER BY m.user_id`,
      )
      expect(messages).toEqual(LARGE.map((id) => ({ user_id: id, owner: id })))
      expect((await counters()).map(({ count }) => count)).toEqual(LARGE.map(() => 0))
    })

    test('lose their own permits to the sweep', async () => {
      await upload(IDS, 2)
      const now = world.clock.now() + 1.5 * DAY_MS
      const sweep = { appId: world.account.appId, slot: now, triggeredBy: 'manual' } as const
      const job = {
        db: world.db,
        log: createLogger({ level: 'silent', secrets: [] }),
        signal: new AbortController().signal,
      }
      expect(await expireStale(job, sweep, now)).toEqual({ expired: IDS.length, users: IDS.length })
      expect((await counters()).map(({ count }) => count)).toEqual(IDS.map(() => 1))
    })

    test('user ids of up to 19 digits in the daily work have their own streaks', async () => {
      for (const [i, id] of IDS.entries()) {
        await world.db('wx_sign_in').insert({
          app_id: world.account.appId,
          user_id: String(id),
          day: addDays(TODAY, -1),
          streak: i + 1,
          created_at: 1,
        })
      }
      await upload(IDS, 1)
      const texts = (await claimAll(world)).map(({ userId, data }) => [userId, data.keyword2?.value])
      expect(texts).toEqual(IDS.map((id, i) => [id, `已经连续答题${i + 1}天`]))
    })
  })

  test('stand in the answers of commands and in logs as they are', { tags: ['programs'] }, async () => {
    await inCommands(dialect)
    const lines: string[] = []
    const log = createLogger({ level: 'info', secrets: [], output: { write: (line) => lines.push(line) } })
    for (const id of IDS) log.info({ event: 'test', user_id: id })
    expect(lines.map((line) => (JSON.parse(line) as { user_id: unknown }).user_id)).toEqual(
      IDS.map(inAnswers),
    )
  })
})

async function inCommands(dialect: Dialect): Promise<void> {
  const service = await startSessionService(dialect)
  try {
    const items = LARGE.map((id) => ({ open_id: openIdOf(id), user_id: String(id), form_id: `F-${id}` }))
    await service.post('/v1/form-ids', { items })
    await service.db('wx_message_push_status').update({ count: 3 })
    const env = {
      DATABASE_URL: service.database.url,
      WX_APP_ID: APP_ID,
      WX_APP_SECRET: 'the-secret-of-the-app',
      REMINDER_TEMPLATE_ID: 'template-1',
    }
    const audited = await runCommand(['audit', '--json'], env)
    const [counters] = (JSON.parse(audited.stdout) as { checks: { violations: { user_id: unknown }[] }[] })
      .checks
    expect(counters?.violations.map(({ user_id }) => user_id).sort()).toEqual(LARGE.map(String).sort())
    const fixed = await runCommand(['audit', '--fix'], env)
    expect(fixed.stdout).toContain(`${LARGE.length} counters recounted`)
    const planned = await runCommand(['plan', '--json'], env)
    const { due, sample } = JSON.parse(planned.stdout) as { due: number; sample: { user_id: unknown }[] }
    expect(due).toBe(LARGE.length)
    expect(sample.map(({ user_id }) => user_id)).toEqual(LARGE.map(String))
  } finally {
    await service.close()
  }
}
