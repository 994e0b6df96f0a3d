import { describe, expect, test } from 'vitest'
import { NEVER_EXPIRES, PAY_HOLD_MS } from '../../src/books/index.js'
import { planRun } from '../../src/reminders/plan.js'
import { findBridge } from '../../src/summaries/bridge.js'
import { PAGE } from '../../src/summaries/bridge-store.js'
import { computeForecast } from '../../src/summaries/compute.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { user, users } from '../helpers/users.js'
import { DEMO, useWorld } from '../helpers/world.js'

const TEMPLATE = { templateId: DEMO.templateId }

describe.each(dialects)('the bridge between form_id and subscribe on %s', (dialect) => {
  const world = useWorld(dialect)
  const bridge = (account = {}, options: object = TEMPLATE) =>
    findBridge(world.db, { ...world.account, ...account }, options, world.clock.now())

  test('counts nobody in an account without users', async () => {
    expect(await bridge()).toMatchObject({
      users: { total: 0, form_id: 0, subscribe: 0, both: 0, none: 0, stopped: 0 },
      run: { date: '2026-11-20', form_id: 0, subscribe: 0, lost: 0, gained: 0 },
    })
  })

  test('counts who is reachable on each, on both and on none, and what the next run reaches', async () => {
    await world.has(
      users(1, 3).permits(2),
      users(4, 5).subscriptions(1),
      users(6, 9).permits(1).subscriptions(2),
      user(10),
      user(11).permits(1).subscriptions(1).optedOut(),
      user(12).subscriptions(1).blocked(),
      user(13).permits(1).subscriptions(1).signedInToday(),
      user(14).permits(1).lastReminded(TODAY),
      user(15).permitFor(MINUTE_MS),
    )
    expect(await bridge()).toEqual({
      app_id: world.account.appId,
      as_of: '2026-11-20T02:00:00.000Z',
      channel: 'form_id',
      template_id: DEMO.templateId,
      users: { total: 15, form_id: 9, subscribe: 7, both: 5, none: 4, stopped: 2 },
      run: {
        date: '2026-11-20',
        at: '2026-11-20T02:00:00.000Z',
        form_id: 7,
        subscribe: 6,
        lost: 3,
        gained: 2,
      },
    })
    expect(await bridge({ channel: 'subscribe' })).toMatchObject({
      users: { form_id: 9, subscribe: 7 },
      run: { form_id: 7, subscribe: 6, lost: 2, gained: 3 },
    })
  })

  test('says of the next run what plan and forecast say of each channel, today and tomorrow', async () => {
    await world.has(
      users(1, 30).permits(1),
      users(31, 50).permits(2).subscriptions(1),
      users(51, 60).subscriptions(3),
      users(61, 70)
        .permitFor(DAY_MS + HOUR_MS)
        .signedInToday(),
    )
    const { db, account, clock } = world
    for (const wait of [0, 13 * HOUR_MS]) {
      clock.advance(wait)
      const now = clock.now()
      const { run } = await bridge()
      for (const channel of ['form_id', 'subscribe'] as const) {
        const { days } = await computeForecast(db, { ...account, channel }, { days: 1, now })
        expect(run?.[channel], `${channel} after ${wait}`).toBe(days[0]?.reachable)
        if (wait === 0)
          expect(run?.[channel]).toBe((await planRun(db, { ...account, channel }, TODAY, now)).due)
      }
    }
  })

  test('keeps templates apart, and stops of one of them', async () => {
    await world.has(users(1, 2).permits(1).subscriptions(1))
    await world
      .db('wx_save_form_id')
      .where({ user_id: 1, source: 'subscribe' })
      .update({ template_id: 'old' })
    expect(await bridge()).toMatchObject({ users: { subscribe: 1, both: 1 } })
    expect(await bridge({}, { templateId: 'old' })).toMatchObject({ users: { subscribe: 1, both: 1 } })
    const person = { app_id: world.account.appId, user_id: 2, open_id: 'o2', created_at: 1, updated_at: 1 }
    await world
      .db('wx_user')
      .insert({ ...person, opted_out_at: 1, stop_errcode: 43101, stop_template_id: 'new' })
    await world
      .db('wx_save_form_id')
      .where({ user_id: 2, source: 'subscribe' })
      .update({ template_id: 'new' })
    expect(await bridge({}, { templateId: 'new' })).toMatchObject({
      users: { form_id: 2, subscribe: 0, both: 0, none: 0, stopped: 0 },
    })
  })

  test('counts a payment that is still held back as reachable, but not as reached at this moment', async () => {
    await world.has(user(1).permits(1))
    const paid = world.clock.now() - PAY_HOLD_MS + 1
    await world.db('wx_save_form_id').update({ source: 'pay', created_at: paid })
    expect(await bridge()).toMatchObject({ users: { form_id: 1 }, run: { form_id: 0 } })
  })

  test('covers every page', async () => {
    await world
      .db('wx_message_push_status')
      .insert(Array.from({ length: 400 }, (_, i) => ({ app_id: world.account.appId, user_id: i, count: 0 })))
    const pages: number[] = []
    expect(await bridge({}, { ...TEMPLATE, onPage: (n: number) => pages.push(n) })).toMatchObject({
      users: { total: 400, none: 400 },
    })
    expect(pages.at(-1)).toBe(PAGE)
  })

  test('takes the template of the account, and asks which one where that is not clear', async () => {
    await world.has(user(1).subscriptions(1))
    await world.db('wx_save_form_id').update({ template_id: 'new', expire: NEVER_EXPIRES })
    expect(await bridge({ templates: ['new'] }, {})).toMatchObject({
      template_id: 'new',
      users: { subscribe: 1 },
    })
    expect(await bridge({ channel: 'subscribe', templates: ['new'] }, {})).toMatchObject({
      template_id: DEMO.templateId,
      users: { subscribe: 0 },
    })
    await expect(bridge({}, {})).rejects.toThrow('add it to TEMPLATES, or name it with --template')
    await expect(bridge({ templates: ['a', 'b'] }, {})).rejects.toThrow('--template (a, b)')
    await expect(bridge({ channel: 'official' })).rejects.toThrow('need no permits')
  })
})
