import { describe, expect, test } from 'vitest'
import { execute } from '../../src/db/sql.js'
import { addDays } from '../../src/lib/business-date.js'
import { createIngest } from '../../src/permits/ingest.js'
import { findFlow } from '../../src/summaries/flow.js'
import { summarize } from '../../src/summaries/summarize.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, NOW, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { addPermits, silentLog } from '../helpers/rows.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)('new permits on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'anything' })

  const count = async (): Promise<number> => {
    const deps = { db: world.db, log: silentLog, now: world.clock.now, signal: new AbortController().signal }
    return (await summarize(deps, world.account, { isWhole: false }))?.granted ?? -1
  }
  /** Counts what is there now: it is old enough a minute later. */
  const countAll = async (): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      await count()
      world.clock.advance(MINUTE_MS)
    }
  }
  const granted = async (days = 3): Promise<number[][]> => {
    const flow = await findFlow(world.db, world.account, { days }, world.clock.now())
    return flow.days.map(({ granted: { form, pay, subscribe } }) => [form, pay, subscribe])
  }
  const upload = (formId: string, source: 'form' | 'pay' = 'form') =>
    createIngest(world.db).upload(
      [
        {
          appId: world.account.appId,
          openId: 'oA',
          userId: 1,
          source,
          formId,
          page: undefined,
          submittedAt: undefined,
        },
      ],
      world.clock.now(),
    )

  test('that were there before the first count belong to the days on which they came', async () => {
    await addPermits(world.db, [
      { user_id: 1, created_at: NOW - 2 * DAY_MS },
      { user_id: 1, created_at: NOW - DAY_MS, status: 1 },
      { user_id: 2, created_at: NOW - DAY_MS, status: 2 },
      { user_id: 2, created_at: NOW - HOUR_MS },
      { user_id: 2, created_at: NOW - 200 * DAY_MS },
    ])
    expect(await count()).toBe(5)
    expect(await granted()).toEqual([
      [1, 0, 0],
      [2, 0, 0],
      [1, 0, 0],
    ])
    expect(await count()).toBe(0)
  })

  test('are counted once each, a minute after they were seen, whatever became of them', async () => {
    await countAll()
    await upload('F1')
    await upload('P1', 'pay')
    expect(await count()).toBe(0)
    expect(await count()).toBe(0)
    world.clock.advance(MINUTE_MS)
    expect(await count()).toBe(4)
    await execute(world.db, 'UPDATE wx_save_form_id SET status = 1', [])
    await countAll()
    expect((await granted()).at(-1)).toEqual([1, 3, 0])
  })

  test('of a transaction that commits late are counted too', async () => {
    await countAll()
    await addPermits(world.db, [{ user_id: 1 }, { user_id: 1 }, { user_id: 1 }])
    const [first, late, last] = await world.db('wx_save_form_id').orderBy('id').select()
    // As another connection sees it while the transaction of the middle one is open.
    await world.db('wx_save_form_id').where({ id: late.id }).delete()
    await count()
    await world.db('wx_save_form_id').insert(late)
    await countAll()
    expect([first.id, last.id]).toEqual([late.id - 1, late.id + 1])
    expect((await granted())[0]).toEqual([3, 0, 0])
  })

  test('without a time count for the day on which they are seen, but not those from before the first count', async () => {
    await addPermits(world.db, [{ user_id: 1, created_at: 0 }])
    await countAll()
    expect((await granted()).at(-1)).toEqual([0, 0, 0])
    await addPermits(world.db, [
      { user_id: 1, created_at: 0 },
      { user_id: 1, app_id: '', created_at: 0 },
      { user_id: 1, created_at: NOW + 5 * DAY_MS },
    ])
    await countAll()
    expect((await granted()).at(-1)).toEqual([3, 0, 0])
  })

  test('belong to a day of the account’s zone', async () => {
    const tokyo = { ...world.account, timezone: 'Asia/Tokyo' }
    // 23:30 in Shanghai, 00:30 in Tokyo.
    await addPermits(world.db, [{ user_id: 1, created_at: NOW - 10.5 * HOUR_MS }])
    const deps = { db: world.db, log: silentLog, now: world.clock.now, signal: new AbortController().signal }
    await summarize(deps, tokyo, { isWhole: false })
    const days = await world.db('wx_day_summary').where('granted_form', '>', 0).pluck('day')
    expect(days).toEqual([TODAY])
    await world.db('wx_day_summary').delete()
    await world.db('wx_summary_progress').delete()
    await summarize(deps, world.account, { isWhole: false })
    expect(await world.db('wx_day_summary').where('granted_form', '>', 0).pluck('day')).toEqual([
      addDays(TODAY, -1),
    ])
  })

  test('are counted again from the beginning of a table that someone has emptied', async () => {
    await addPermits(world.db, [{ user_id: 1 }, { user_id: 1 }])
    await countAll()
    await world.db('wx_save_form_id').delete()
    await countAll()
    await addPermits(world.db, [{ user_id: 1, created_at: world.clock.now() }])
    await execute(world.db, 'UPDATE wx_save_form_id SET id = 1', [])
    await countAll()
    expect((await granted()).at(-1)).toEqual([1, 0, 0])
  })
})
