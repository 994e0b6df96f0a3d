import { describe, expect, test } from 'vitest'
import { audit } from '../../src/operations/audit.js'
import { SEND_PATH } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { A, B, type TwoAccounts, useTwoAccounts } from '../helpers/two-accounts.js'
import { users } from '../helpers/users.js'

const USERS = 60

describe.each(dialects)('two accounts in one process on %s', (dialect) => {
  const two = useTwoAccounts(dialect)

  const isDone = (account: typeof A) => async () => (await two.run(account))?.state === 'done'

  test('each runs by its own channel, at the same time', { tags: ['long'] }, async () => {
    const service = await two.start()
    await two.has(A, users(1, USERS).permits(1))
    await two.has(B, users(1, USERS).subscriptions(1))
    service.startSchedule()
    await eventually('the run of A is done', isDone(A))
    await eventually('the run of B is done', isDone(B))
    expect(await two.states(A)).toEqual({ delivered: USERS })
    expect(await two.states(B)).toEqual({ delivered: USERS })
    for (const account of [A, B]) expect(two.wechatOf(account).control.ledger()).toHaveLength(USERS)
    expect(await audit(two.database.db, two.clock.now(), false)).toMatchObject({ ok: true })
  })

  test.each<[string, (two: TwoAccounts) => void, string[]]>([
    ['hangs', ({ router }) => router.hang(A.appId), ['running', 'paused']],
    [
      'answers every message with an error of the settings',
      ({ wechatOf }) =>
        wechatOf(A).control.addFault({ kind: 'errcode', errcode: 40037, match: { path: SEND_PATH } }),
      ['halted'],
    ],
    [
      'is busy for ever',
      ({ wechatOf }) =>
        wechatOf(A).control.addFault({ kind: 'errcode', errcode: -1, match: { path: SEND_PATH } }),
      ['running', 'paused'],
    ],
  ])('the run of one is complete while the WeChat of the other %s', async (_, disturb, states) => {
    const service = await two.start()
    await two.has(A, users(1, USERS).permits(1))
    await two.has(B, users(1, USERS).subscriptions(1))
    disturb(two)
    service.startSchedule()
    await eventually('A has called its WeChat', () => two.router.calls(A.appId) > 0)
    await eventually('the run of B is done', isDone(B))
    expect(await two.states(B)).toEqual({ delivered: USERS })
    const item = { open_id: 'oSomebody', user_id: 900, template_id: B.templateId, result: 'accept' }
    expect(await two.call('POST', '/v1/subscriptions', { app_id: B.appId, ...item })).toMatchObject({
      status: 201,
    })
    await eventually('the run of A is as it must be', async () =>
      states.includes((await two.run(A))?.state ?? ''),
    )
    expect((await two.states(A)).delivered).toBeUndefined()
    await service.stop()
    expect(await audit(two.database.db, two.clock.now(), false)).toMatchObject({ ok: true })
  })

  test('a wrong secret halts the run of its account alone', async () => {
    const service = await two.start([{ ...A, appSecret: 'not-the-secret-of-alpha' }, B])
    await two.has(A, users(1, USERS).permits(1))
    await two.has(B, users(1, USERS).subscriptions(1))
    service.startSchedule()
    await eventually('the run of B is done', isDone(B))
    const halted = await eventually('the run of A is halted', async () => {
      const run = await two.run(A)
      return run?.state === 'halted' ? run : undefined
    })
    expect(halted.reason).toContain('40125')
    expect(await two.run(B)).toMatchObject({ state: 'done', reason: null })
    expect(await two.states(B)).toEqual({ delivered: USERS })
    expect(await audit(two.database.db, two.clock.now(), false)).toMatchObject({ ok: true })
  })

  test('nobody holds a connection of the database while its WeChat hangs', async () => {
    const service = await two.start()
    await two.has(A, users(1, USERS).permits(1))
    two.router.hang(A.appId)
    service.startSchedule()
    await eventually('A waits for WeChat', () => two.router.calls(A.appId) > 0)
    const { pool } = service.of(A.appId).sending.db.client
    await eventually('no connection is in use', () => pool.numUsed() === 0)
  })
})
