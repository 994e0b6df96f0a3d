import { describe, expect, test } from 'vitest'
import { inTransaction } from '../../src/db/transaction.js'
import { markSending } from '../../src/messages/lease-store.js'
import { emptyTally } from '../../src/messages/tally.js'
import { audit } from '../../src/operations/audit.js'
import { bringBack } from '../../src/operations/bring-back.js'
import { closeGap } from '../../src/operations/restored.js'
import { purgeOld } from '../../src/retention/purge.js'
import { eraseUser } from '../../src/user-data/erase.js'
import { findMessagePage } from '../../src/user-data/messages.js'
import { rebindUser } from '../../src/users/rebind.js'
import { claimAll } from '../helpers/claims.js'
import { DAY_MS, HOUR_MS, OFFICIAL_PATH, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { silentLog } from '../helpers/rows.js'
import { openIdOf, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

const OFFICIAL = { channel: 'official' } as const
const { signal } = new AbortController()

/** What operators, DBAs and other processes do around the reminders of a service account. */
describe.each(dialects)('around a service account on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'anything' })
  const { db, clock } = world
  const { appId } = world.account
  const official = { ...world.account, ...OFFICIAL }
  const remind = () => world.startProcess().remind({ account: OFFICIAL })

  test('two processes share a run, and nobody is reminded twice', { tags: ['long'] }, async () => {
    await world.has(users(1, 1_200).following())
    const reports = await Promise.all([remind(), remind()])
    expect(reports.map(({ state }) => state)).toEqual(['done', 'done'])
    expect(world.wechat.ledger()).toHaveLength(1_200)
    expect(world.wechat.summary().repeats).toEqual([])
    await world.expectSound()
  })

  test('a user beyond 2^53 is reminded', async () => {
    const userId = 9_007_199_254_740_993n
    const binding = { openId: openIdOf(1), userId, movePermits: false }
    await inTransaction(db, (trx) =>
      rebindUser(trx, { ...official, userIds: 'backend' }, binding, clock.now()),
    )
    world.wechat.follow({ openId: openIdOf(1) })
    expect(await remind()).toMatchObject({ delivered: 1 })
    expect(await world.messages()).toMatchObject([{ user_id: userId, state: 'delivered' }])
    await world.expectAuditClean()
  })

  test('counters that a DBA deletes come back, and nobody is reminded again on that day', async () => {
    await world.has(users(1, 3).following())
    await remind()
    await db('wx_message_push_status').delete()
    await db('wx_job_run').delete()
    expect(await remind()).toMatchObject({ state: 'done', delivered: 0 })
    expect(world.wechat.ledger()).toHaveLength(3)
    clock.advance(DAY_MS)
    expect(await remind()).toMatchObject({ delivered: 3 })
  })

  test('a message whose receiver a DBA has emptied is named by the audit, and fails alone', async () => {
    await world.has(users(1, 3).following())
    await claimAll(world, OFFICIAL)
    await db('wx_push_message').where({ user_id: 2 }).update({ open_id: null })
    const { checks } = await audit(db, clock.now(), false)
    expect(checks.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual(['message_has_permit'])
    await world.lapseLeases()
    expect(await world.startProcess().recover(OFFICIAL)).toEqual({ ...emptyTally(), delivered: 2, failed: 1 })
    await world.expectAuditClean()
  })

  test('a permit that is spent by hand on a message of a service account is named by the audit', async () => {
    await world.has(users(1, 1).following().permits(1))
    await remind()
    const [message] = await world.messages()
    await db('wx_save_form_id').update({ status: 1, message_id: message?.id })
    await db('wx_message_push_status').update({ count: 0 })
    const { checks } = await audit(db, clock.now(), false)
    expect(checks.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual(['spent_permit_has_message'])
  })

  test('who is erased leaves no open_id behind, and is not reminded again', async () => {
    await world.has(users(1, 2).following())
    await remind()
    const deps = { db, appId, log: silentLog }
    expect(await eraseUser(deps, { userId: 1, traceId: 't' }, clock.now())).toMatchObject({
      complete: true,
      open_ids: 1,
      messages: 1,
    })
    expect(JSON.stringify(await world.messages())).not.toContain(openIdOf(1))
    clock.advance(DAY_MS)
    expect(await remind()).toMatchObject({ due: 1, delivered: 1 })
    await world.expectAuditClean()
  })

  test('nobody is erased while a message to him is in the hands of a process', async () => {
    await world.has(users(1, 1).following())
    const claimed = await claimAll(world, OFFICIAL)
    await markSending(db, claimed)
    const deps = { db, appId, log: silentLog }
    await expect(eraseUser(deps, { userId: 1, traceId: 't' }, clock.now())).rejects.toMatchObject({
      code: 'conflict',
    })
  })

  test('the messages of a user tell of their attempts without a permit', async () => {
    await world.has(users(1, 1).following())
    await remind()
    expect(await findMessagePage(db, appId, 1, { limit: 5 })).toMatchObject({
      items: [
        {
          channel: 'official',
          open_id: openIdOf(1),
          permit_id: null,
          attempts_on_record: [{ permit_id: null }],
        },
      ],
    })
  })

  test('the purge takes messages without a permit, and counters stay', async () => {
    await world.has(users(1, 3).following())
    await remind()
    clock.advance(91 * DAY_MS)
    const account = { ...official, retentionDays: 90 }
    expect(await purgeOld({ db, log: silentLog, signal }, account, clock.now())).toMatchObject({
      messages: 3,
    })
    expect(await remind()).toMatchObject({ delivered: 3 })
    await world.expectAuditClean()
  })

  test('those whom a platform fault has stopped are brought back together', async () => {
    await world.has(users(1, 5).following())
    world.wechat.addFault({
      kind: 'errcode',
      errcode: 43004,
      times: 3,
      after: 1,
      match: { path: OFFICIAL_PATH },
    })
    const { runId } = await remind()
    const options = { appId, runIds: [runId], since: 0, dryRun: false, signal }
    expect(await bringBack(db, options, clock.now())).toMatchObject({ people: 3 })
    clock.advance(DAY_MS)
    expect(await remind()).toMatchObject({ delivered: 5 })
  })

  test('after a dump is put back, whoever was due counts as perhaps reminded, and nobody gets a second message', async () => {
    await world.has(users(1, 4).following())
    const since = clock.now() - HOUR_MS
    clock.advance(HOUR_MS)
    await closeGap(db, official, { since, dryRun: false, signal }, clock.now())
    expect(await remind()).toMatchObject({ delivered: 0 })
    for (const id of [1, 2, 3, 4]) expect(await world.counterOf(id)).toMatchObject({ last_date: TODAY })
    clock.advance(DAY_MS)
    expect(await remind()).toMatchObject({ delivered: 4 })
  })
})
