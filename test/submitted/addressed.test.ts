import { describe, expect, test } from 'vitest'
import type { Account } from '../../src/account.js'
import { FORM_ID_LIFETIME_MS } from '../../src/books/index.js'
import { execute } from '../../src/db/sql.js'
import { sendTest } from '../../src/reminders/send-test.js'
import { requeueMessage } from '../../src/submitted/requeue.js'
import { findMessage } from '../../src/submitted/status.js'
import { HOUR_MS, SEND_PATH } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { openIdOf, user } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

const FIRST = openIdOf(1)
const SECOND = `${FIRST.slice(0, -1)}B`

describe.each(dialects)('a message to one open_id of a user who has two on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'clean books' })
  const { appId } = world.account

  /** Both are bound to user 1. */
  async function bound(): Promise<void> {
    await world.has(user(1))
    for (const [i, openId] of [FIRST, SECOND].entries())
      await execute(
        world.db,
        'INSERT INTO wx_user (app_id, open_id, user_id, created_at, updated_at) VALUES (?, ?, 1, ?, ?)',
        [appId, openId, i + 1, i + 1],
      )
  }

  /** Permits of user 1 that an open_id gave; each runs out after so many hours. */
  async function gave(openId: string, ...hours: number[]): Promise<void> {
    const now = world.clock.now()
    for (const one of hours) {
      const expire = now + one * HOUR_MS
      const formId = world.wechat.issueFormId({ appId, openId, at: expire - FORM_ID_LIFETIME_MS })
      await execute(
        world.db,
        `INSERT INTO wx_save_form_id (app_id, open_id, user_id, form_id, expire, created_at, updated_at)
         VALUES (?, ?, 1, ?, ?, ?, ?)`,
        [appId, openId, formId, expire, now - HOUR_MS, now - HOUR_MS],
      )
      await execute(world.db, 'UPDATE wx_message_push_status SET count = count + 1 WHERE user_id = 1')
    }
  }

  const submit = async (openId: string, account: Partial<Account> = {}) => {
    const [message] = await submitTo(world, [1], { open_id: openId, account })
    if (!message) throw new Error('It was submitted')
    return message
  }
  const find = (id: number) => findMessage(world.db, appId, id)
  const spoil = (times: number) =>
    world.wechat.addFault({ kind: 'errcode', errcode: 41028, times, match: { path: SEND_PATH } })
  const sentTo = () => world.wechat.ledger().map(({ open_id }) => open_id)

  test('spends a permit of that one, however old those of the other are', async () => {
    await bound()
    await gave(FIRST, 2, 3)
    await gave(SECOND, 5, 6)
    const [second, any, first, none] = [
      await submit(SECOND),
      (await submitTo(world, [1]))[0],
      await submit(FIRST),
      await submit(FIRST),
    ]
    expect([second.state, any?.state, first.state, none.state]).toEqual([
      'queued',
      'queued',
      'queued',
      'no_permit',
    ])
    expect(await sendSubmitted(world, world.startProcess())).toMatchObject({ delivered: 3 })
    expect(sentTo().sort()).toEqual([FIRST, FIRST, SECOND])
  })

  test('spends one each of a batch that names both, and the user', async () => {
    await bound()
    await gave(FIRST, 2, 3)
    await gave(SECOND, 5)
    const messages = await submitTo(world, [1, 1, 1], { open_id: FIRST })
    expect(messages.map(({ state }) => state)).toEqual(['queued', 'queued', 'no_permit'])
    expect(await world.counterOf(1)).toMatchObject({ count: 1 })
    await sendSubmitted(world, world.startProcess())
    expect(sentTo()).toEqual([FIRST, FIRST])
  })

  test('goes on with that one’s next permit when WeChat calls one spoiled', async () => {
    await bound()
    await gave(FIRST, 2, 6)
    await gave(SECOND, 4)
    const { id } = await submit(FIRST)
    spoil(1)
    expect(await sendSubmitted(world, world.startProcess())).toMatchObject({ delivered: 1 })
    expect(sentTo()).toEqual([FIRST])
    expect((await find(id)).attempts.map(({ answer }) => answer?.errcode)).toEqual([41028, undefined])
    expect(await world.counterOf(1)).toMatchObject({ count: 1 })
  })

  test('fails when that one has no other permit, and leaves those of the other', async () => {
    await bound()
    await gave(FIRST, 2)
    await gave(SECOND, 4)
    const { id } = await submit(FIRST)
    spoil(1)
    expect(await sendSubmitted(world, world.startProcess())).toMatchObject({ failed: 1 })
    expect(await find(id)).toMatchObject({ state: 'failed' })
    expect([sentTo(), await world.counterOf(1)]).toMatchObject([[], { count: 1 }])
  })

  test('goes to that one when it was dead and is queued again', async () => {
    await bound()
    await gave(FIRST, 4)
    await gave(SECOND, 6)
    const { id } = await submit(SECOND)
    world.wechat.addFault({ kind: 'errcode', errcode: 47003, times: 3, match: { path: SEND_PATH } })
    for (let attempt = 0; attempt < 3; attempt++) {
      await sendSubmitted(world, world.startProcess())
      world.clock.advance(HOUR_MS)
    }
    expect(await find(id)).toMatchObject({ state: 'dead' })
    await requeueMessage(world.db, world.account, { id }, world.clock.now())
    expect(await sendSubmitted(world, world.startProcess())).toMatchObject({ delivered: 1 })
    expect(sentTo()).toEqual([SECOND])
  })

  test('a test message does not go to the other one either', async () => {
    await bound()
    await gave(FIRST, 2)
    await gave(SECOND, 4)
    spoil(1)
    const { signal } = new AbortController()
    expect(await sendTest(world.startProcess(), world.account, FIRST, signal)).toMatchObject({
      state: 'failed',
    })
    expect([sentTo(), await world.counterOf(1)]).toMatchObject([[], { count: 1 }])
  })

  test('on a service account goes to the one that was named, and else to the one bound last', async () => {
    await bound()
    const account = { channel: 'official' } as const
    for (const openId of [FIRST, SECOND]) world.wechat.follow({ appId, openId })
    await submit(FIRST, account)
    await sendSubmitted(world, world.startProcess(), account)
    await submitTo(world, [1], { account })
    await sendSubmitted(world, world.startProcess(), account)
    expect(sentTo()).toEqual([FIRST, SECOND])
  })
})
