import { describe, expect, onTestFinished, test } from 'vitest'
import { takeOver } from '../../src/messages/recovery.js'
import { cancelMessage } from '../../src/submitted/cancel.js'
import { requeueMessage } from '../../src/submitted/requeue.js'
import { createSubmittedWorker } from '../../src/submitted/worker.js'
import { HOUR_MS, SEND_PATH } from '../helpers/constants.js'
import { openSteppingPool } from '../helpers/stepping-pool.js'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { user } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

// @module-tag mysql

/** Two at the same message or permit, always in the order that the test says. */
describe('a race for a submitted message on mysql', () => {
  const world = useWorld('mysql', { leaves: 'sound books' })
  const { appId } = world.account

  /** Another process, which stands still where the test wants it to. */
  function another() {
    const pool = openSteppingPool(world.database)
    onTestFinished(() => pool.close())
    return { pool, world: { db: pool.db, account: world.account, clock: world.clock } }
  }

  test('the same request, stored by another process since we looked, is answered with its message', async () => {
    await world.has(user(1).permits(2))
    const { pool, world: other } = another()
    const stop = pool.stop('after', /SELECT key_hash, body_hash, answer FROM wx_submission/)
    const second = submitTo(other, [1], { key: 'same' })
    await stop.reached
    const first = await submitTo(world, [1], { key: 'same' })
    stop.goOn()
    expect(await second).toEqual(first)
    expect(await world.messages()).toHaveLength(1)
    expect(await world.counterOf(1)).toMatchObject({ count: 1 })
  })

  test('a permit that another message took since we found it is left to that, and the next one taken', async () => {
    await world.has(user(1).permits(2))
    const { pool, world: other } = another()
    const stop = pool.stop('after', /AS permit_id\s+FROM wx_message_push_status/)
    const second = submitTo(other, [1])
    await stop.reached
    await submitTo(world, [1])
    stop.goOn()
    expect((await second)[0]?.state).toBe('queued')
    expect(new Set((await world.messages()).map(({ permit_id }) => permit_id)).size).toBe(2)
  })

  test('a message that a process takes while it is being cancelled is sent, and the cancelling says so', async () => {
    await world.has(user(1).permits(1))
    const [message] = await submitTo(world, [1])
    const { pool } = another()
    const stop = pool.stop('before', /SELECT message_id AS id, kind FROM wx_message_retry/)
    const cancelled = cancelMessage(pool.db, appId, message?.id ?? 0, world.clock.now())
    const refused = expect(cancelled).rejects.toMatchObject({ code: 'message_sent' })
    await stop.reached
    const limits = { kind: 'api', limit: 1, leaseMs: 15_000, now: world.clock.now() } as const
    await takeOver(world.db, world.account, limits)
    stop.goOn()
    await refused
    await world.lapseLeases()
    expect(await sendSubmitted(world, world.startProcess())).toMatchObject({ delivered: 1 })
  })

  test('a dead letter that two queue again at once is queued once, with one permit', async () => {
    await world.has(user(1).permits(3))
    const [message] = await submitTo(world, [1])
    const id = message?.id ?? 0
    world.wechat.addFault({ kind: 'errcode', errcode: 47003, times: 3, match: { path: SEND_PATH } })
    const worker = createSubmittedWorker(world.startProcess(), world.account)
    for (let attempt = 0; attempt < 3; attempt++) {
      await worker.workDue()
      world.clock.advance(HOUR_MS)
    }
    const { pool } = another()
    const stop = pool.stop('before', /AS permit_id\s+FROM wx_message_push_status/)
    const second = requeueMessage(pool.db, world.account, { id }, world.clock.now())
    const refused = expect(second).rejects.toMatchObject({ code: 'message_not_dead' })
    await stop.reached
    await requeueMessage(world.db, world.account, { id }, world.clock.now())
    stop.goOn()
    await refused
    expect(await world.counterOf(1)).toMatchObject({ count: 2 })
    expect(await worker.workDue()).toMatchObject({ delivered: 1 })
  })
})
