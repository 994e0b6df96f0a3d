import { describe, expect, test } from 'vitest'
import { audit } from '../../src/operations/audit.js'
import { findInstances } from '../../src/operations/instances.js'
import { SEND_PATH } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { recordedLog } from '../helpers/log.js'
import { A, B, useTwoAccounts } from '../helpers/two-accounts.js'
import { users } from '../helpers/users.js'

const USERS = 120

describe.each(dialects)('new settings of a service that runs on %s', (dialect) => {
  const log = recordedLog()
  const two = useTwoAccounts(dialect)
  const LOG = { LOG_LEVEL: 'info' }

  const delivered = async (account: typeof A) => (await two.states(account)).delivered ?? 0
  const isDone = (account: typeof A) => async () => (await two.run(account))?.state === 'done'
  /** At eight at once the run takes six seconds: whoever is to come in the middle of it comes in time. */
  const slow = (account: typeof A) =>
    two.wechatOf(account).control.addFault({
      kind: 'latency',
      ms: 400,
      ...(account === A ? { match: { path: SEND_PATH } } : {}),
    })

  async function expectAllDelivered(account: typeof A): Promise<void> {
    two.wechatOf(account).control.clearFaults()
    await eventually(`the run of ${account.appId} is done`, isDone(account))
    const ledger = two.wechatOf(account).control.ledger()
    expect(new Set(ledger.map(({ open_id }) => open_id)).size).toBe(USERS)
    expect(ledger).toHaveLength(USERS)
    expect(await audit(two.database.db, two.clock.now(), false)).toMatchObject({ ok: true })
  }

  test('a new account is served and runs, without a restart of the others', async () => {
    const service = await two.start([A])
    await two.has(A, users(1, 3).permits(1))
    await two.has(B, users(1, USERS).subscriptions(1))
    service.startSchedule()
    const before = service.of(A.appId)
    await service.change({ accounts: [A, B] })
    expect(service.of(A.appId)).toBe(before)
    await expectAllDelivered(B)
    expect(await findInstances(two.database.db, B.appId)).toHaveLength(1)
    expect(await two.call('GET', `/v1/runs?app_id=${B.appId}`)).toMatchObject({ status: 200 })
    expect(await two.call('GET', '/v1/runs')).toMatchObject({ status: 422 })
  })

  test('an account that is taken out gives back what it had in hand, and is not known any more', async () => {
    const service = await two.start()
    await two.has(A, users(1, USERS).permits(1))
    slow(A)
    service.startSchedule()
    await eventually('some are delivered', async () => (await delivered(A)) > 3)
    await service.change({ accounts: [B] })
    const { delivered: sent = 0, ...others } = await two.states(A)
    expect(sent).toBeLessThan(USERS)
    expect(Object.keys(others).filter((state) => state !== 'cancelled')).toEqual([])
    expect(two.wechatOf(A).control.ledger()).toHaveLength(sent)
    expect(await audit(two.database.db, two.clock.now(), false)).toMatchObject({ ok: true })
    expect(await two.call('GET', `/v1/runs?app_id=${A.appId}`)).toMatchObject({ status: 404 })
    expect(await two.call('GET', '/v1/runs')).toMatchObject({ status: 200 })
    expect(await findInstances(two.database.db, A.appId)).toEqual([])
    const { text } = await two.call('GET', '/metrics')
    expect(text).not.toContain(A.appId)
    expect(text).toContain(B.appId)

    await service.change({ accounts: [A, B] })
    await expectAllDelivered(A)
  })

  test('a change in the middle of a run of that account leaves nobody out and reminds nobody twice', async () => {
    const service = await two.start([A, B], LOG)
    await two.has(A, users(1, USERS).permits(1))
    slow(A)
    service.startSchedule()
    await eventually('some are delivered', async () => (await delivered(A)) > 3)
    await service.change({ accounts: [{ ...A, data: { thing1: '明天见' } }, B] })
    expect(log.lines('account.restarted').map(({ app_id }) => app_id)).toEqual([A.appId])
    await expectAllDelivered(A)
    const texts = two
      .wechatOf(A)
      .control.ledger()
      .map(({ data }) => JSON.stringify(data))
    expect(texts.some((text) => text.includes('明天见'))).toBe(true)
  })

  test('a change of channel in the middle of a run goes on by the new one, and reminds nobody twice', async () => {
    const service = await two.start([A, B])
    await two.has(A, users(1, USERS).permits(1).subscriptions(1))
    slow(A)
    service.startSchedule()
    await eventually('some are delivered', async () => (await delivered(A)) > 3)
    await service.change({ accounts: [{ ...A, channel: 'subscribe' }, B] })
    await expectAllDelivered(A)
    const channels = new Set(
      two
        .wechatOf(A)
        .control.ledger()
        .map(({ channel }) => channel),
    )
    expect(channels).toEqual(new Set(['form_id', 'subscribe']))
  })

  test('a change of one account leaves the run of another alone, also twice quickly', async () => {
    const service = await two.start([A, B], LOG)
    await two.has(B, users(1, USERS).subscriptions(1))
    slow(B)
    service.startSchedule()
    await eventually('some are delivered', async () => (await delivered(B)) > 3)
    const before = service.of(B.appId)
    await Promise.all([
      service.change({ accounts: [{ ...A, page: 'pages/a' }, B] }),
      service.change({ accounts: [{ ...A, page: 'pages/b' }, { ...B }] }),
      service.change({ accounts: [B] }),
    ])
    expect(service.of(B.appId)).toBe(before)
    await expectAllDelivered(B)
    expect(log.lines('remind.started').filter(({ app_id }) => app_id === B.appId)).toHaveLength(1)
  })

  test('a stop in the middle of a change ends everything', async () => {
    const service = await two.start()
    service.startSchedule()
    const reloading = service.change({ accounts: [{ ...A, page: 'pages/a' }] })
    await service.stop()
    await reloading
    await service.change({ accounts: [A, B] })
    expect(two.database.db.client.pool.numUsed()).toBe(0)
  })

  test('every line about the work of an account names it', async () => {
    const service = await two.start([A, B], { LOG_LEVEL: 'debug' })
    await two.has(A, users(1, 3).permits(1))
    service.startSchedule()
    await eventually('the run of A is done', isDone(A))
    const attempts = log.lines('message.attempted')
    expect(attempts).toHaveLength(3)
    for (const { app_id } of attempts) expect(app_id).toBe(A.appId)
    expect(log.text()).not.toMatch(/"app_id":"[^"]*".*"app_id":/)
  })

  test('secrets of a new account are hidden in the log', async () => {
    const service = await two.start([A], LOG)
    const appSecret = 'the-secret-of-somebody-new-77'
    await service.change({ accounts: [A, { ...B, appSecret }] })
    service.of(B.appId).sending.log.info({ event: 'test' }, `said ${appSecret}`)
    expect(log.text()).toContain('said ***')
    expect(log.text()).not.toContain(appSecret)
  })
})
