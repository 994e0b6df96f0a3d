import { describe, expect, test } from 'vitest'
import { execute } from '../../src/db/sql.js'
import { describeOpen, openToJson } from '../../src/messages/open-messages.js'
import { countOpen } from '../../src/messages/open-store.js'
import { examine } from '../../src/operations/doctor.js'
import { pendingMigrations } from '../../src/schema.js'
import { muteAuxiliary } from '../helpers/auxiliary.js'
import { claimAll } from '../helpers/claims.js'
import { MINUTE_MS, NOW } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { users } from '../helpers/users.js'
import { holdApart, letWait } from '../helpers/waits.js'
import { useWorld } from '../helpers/world.js'

const NONE = {
  in_hand: 0,
  in_hand_until: null,
  lapsed: 0,
  retries_due: 0,
  retries_later: 0,
  next_retry_at: null,
}

describe.each(dialects)('messages that are not settled on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'anything' })

  const count = () => countOpen(world.db, world.account.appId, NOW)
  const set = (columns: string, users: string) =>
    execute(world.db, `UPDATE wx_push_message SET ${columns} WHERE user_id ${users}`)

  async function askDoctor() {
    const { db, account } = world
    const findings = await examine({
      db,
      pendingMigrations,
      account,
      systemNow: () => NOW,
      getToken: async () => 'token',
      auxiliary: muteAuxiliary,
    })
    return findings.find(({ name }) => name === 'messages')
  }

  test('messages that are not settled are none at first', async () => {
    expect(openToJson(await count())).toEqual(NONE)
    expect(describeOpen(await count())).toBeUndefined()
    expect(await askDoctor()).toEqual({
      name: 'messages',
      status: 'ok',
      reason: 'all settled',
      reason_zh: '全部已有结果',
    })
  })

  test('messages that are not settled are told apart: in hand and until when, left by the dead, to be tried again now and later', async () => {
    await world.has(users(1, 10).permits(1))
    await claimAll(world)
    const until = Date.now() + 60 * MINUTE_MS
    await holdApart(world.db, 'user_id = 1', until - 5)
    await set("state = 'queued'", '= 1')
    await holdApart(world.db, 'user_id = 2', until)
    await holdApart(world.db, 'user_id IN (3, 4, 5)', 1)
    await letWait(world.db, 'user_id IN (6, 7)', NOW)
    await letWait(world.db, 'user_id = 8', NOW + MINUTE_MS)
    await letWait(world.db, 'user_id = 9', NOW + 9 * MINUTE_MS)
    await set("state = 'delivered'", '= 10')

    const open = await count()
    expect(openToJson(open)).toEqual({
      in_hand: 2,
      in_hand_until: new Date(until).toISOString(),
      lapsed: 3,
      retries_due: 2,
      retries_later: 2,
      next_retry_at: new Date(NOW + MINUTE_MS).toISOString(),
    })
    expect(await askDoctor()).toEqual({
      name: 'messages',
      status: 'warn',
      reason: describeOpen(open)?.en,
      reason_zh: describeOpen(open)?.zh,
      fix: expect.stringContaining('recover'),
      fix_zh: expect.stringContaining('recover'),
    })
    expect(describeOpen(open)?.en).toMatch(/^2 held by .* 3 left by .* 2 to be retried now.* 2 to be/)
  })

  test('messages that are not settled in the hands of a process are nothing to warn of', async () => {
    await world.has(users(1, 3).permits(1))
    await claimAll(world)
    await holdApart(world.db, 'user_id > 0', Date.now() + 60 * MINUTE_MS)
    expect(await askDoctor()).toMatchObject({
      status: 'ok',
      reason: expect.stringMatching(/^3 held by/),
    })
  })

  test('messages of another account that are not settled are its own', async () => {
    await world.has(users(1, 3).permits(1))
    await claimAll(world)
    expect(openToJson(await countOpen(world.db, 'wx-other', NOW))).toEqual(NONE)
  })
})
