import { beforeEach, describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { businessDate } from '../../src/lib/business-date.js'
import { audit } from '../../src/operations/audit.js'
import { planRun } from '../../src/reminders/plan.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, SEND_PATH, TEMPLATE_ID } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { recordQueries } from '../helpers/rows.js'
import { user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

/** The run is of the real hour of the day, and WeChat's window would close at ten in the evening. */
const ALL_DAY = { sendUntil: { hour: 24, minute: 0 } }

// The views read the database's own clock: a test that began before midnight in Shanghai and ended after it runs again.
describe.each(dialects)('the views for people on %s', { retry: 1 }, (dialect) => {
  const world = useWorld(dialect, { leaves: 'anything' })
  const { db } = world
  let now = 0
  let today = 0
  beforeEach(() => {
    now = Date.now()
    today = businessDate(now, 'Asia/Shanghai')
    world.clock.set(now)
  })
  const view = (name: string) => db(name).where({ app_id: world.account.appId })

  test('v_wx_due_now names the users whom a run would remind, with the permit that it would spend', async () => {
    await world.has(
      users(1, 3).permits(2),
      user(4).permits(1).signedInToday(),
      user(5).permits(1).optedOut(),
      user(6).permits(1).blocked(),
      user(7).permits(1).lastReminded(today),
      user(8).permitFor(30 * SECOND_MS),
      user(9),
      user(10).subscriptions(2),
      user(11).permits(1).subscriptions(1).streak(4),
      user(12).permitFor(-MINUTE_MS),
    )
    // A payment of a moment ago is held back, and set back by hand is not due again.
    await db('wx_save_form_id')
      .where({ user_id: 2 })
      .update({ source: 'pay', created_at: now - 2_000 })
    await world.startProcess().remind({ limit: 1, account: ALL_DAY })
    await db('wx_message_push_status').where({ user_id: 1 }).update({ last_date: 0 })

    for (const [channel, templateId] of [
      ['form_id', null],
      ['subscribe', TEMPLATE_ID],
    ] as const) {
      const plan = await planRun(db, { ...world.account, channel, templateId: TEMPLATE_ID }, today, now)
      const due = await view('v_wx_due_now').where({ channel, template_id: templateId }).orderBy('user_id')
      expect(due.length).toBe(plan.due)
      expect(due.map(({ user_id, permit_id, streak }) => ({ user_id, permit_id, streak }))).toEqual(
        plan.sample.map(({ user_id, permit_id }) => ({
          user_id,
          permit_id,
          streak: user_id === 11 ? 4 : 0,
        })),
      )
      expect(plan.due).toBe(2)
    }
  })

  test('v_wx_followers_due_now names the users whom a service account would remind, with their open_ids', async () => {
    await world.has(
      users(1, 3).following(),
      user(4).following().signedInToday(),
      user(5).following().optedOut(),
      user(6).following().blocked(),
      user(7).following().lastReminded(today),
      user(8).permits(1),
      user(9).following().streak(4),
    )
    // The one that was bound last.
    await db('wx_user').insert({
      app_id: world.account.appId,
      open_id: 'second',
      user_id: 2,
      created_at: now,
      updated_at: now,
    })
    const plan = await planRun(db, { ...world.account, channel: 'official' }, today, now)
    const due = await view('v_wx_followers_due_now').orderBy('user_id')
    expect(due.map(({ user_id }) => user_id)).toEqual(plan.sample.map(({ user_id }) => user_id))
    expect(due).toMatchObject([
      { user_id: 1, streak: 0 },
      { user_id: 2, open_id: 'second' },
      { user_id: 3 },
      { user_id: 9, streak: 4 },
    ])
  })

  test('v_wx_due_now of one user reads that user alone', async () => {
    await world.has(users(1, 300).permits(2))
    const queries = recordQueries(db)
    const found = await view('v_wx_due_now').where({ user_id: 17 })
    expect(found).toHaveLength(1)
    const { sql, bindings } = queries.at(-1) ?? { sql: '', bindings: [] }
    const explained = await selectRows<Record<string, string>>(
      db,
      `EXPLAIN ${dialect === 'sqlite' ? 'QUERY PLAN ' : ''}${sql}`,
      bindings as string[],
    )
    const full =
      dialect === 'sqlite'
        ? explained.filter(({ detail }) => detail?.startsWith('SCAN'))
        : explained.filter(({ type }) => type === 'ALL' || type === 'index')
    expect(full).toEqual([])
  })

  test('v_wx_today_run has the numbers of the run while it runs, and when it has ended', async () => {
    await world.has(users(1, 6).permits(1), user(7).permits(1).signedInToday())
    world.wechat.addFault({ kind: 'errcode', errcode: 43101, times: 1, after: 1, match: { path: SEND_PATH } })
    const report = await world.startProcess().remind({ account: ALL_DAY })
    const ended = {
      state: 'done',
      day: today,
      due: 6,
      delivered: 5,
      failed: 1,
      unknown: 0,
      skipped_signed_in: 1,
    }
    expect(report).toMatchObject({ state: 'done', delivered: 5, failed: 1 })
    expect(await view('v_wx_today_run')).toMatchObject([{ run_id: report.runId, ...ended }])
    // As it stands while a process is at work: the totals are not written yet.
    await db('wx_job_run').update({ state: 'running', delivered: 0, failed: 0 })
    const running = { state: 'running', claimed: 6, delivered: 5, failed: 1, waiting: 0, cancelled: 0 }
    expect(await view('v_wx_today_run')).toMatchObject([running])
    await db('wx_job_run').update({ slot: 20200101 })
    expect(await view('v_wx_today_run')).toEqual([])
  })

  test('v_wx_permits_by_day adds up to the unspent permits', async () => {
    await world.has(users(1, 2).permits(2), user(3).permits(2).subscriptions(1), user(4).permitFor(HOUR_MS))
    await db('wx_save_form_id').where({ user_id: 2 }).update({ status: 1 })
    const rows = await view('v_wx_permits_by_day')
    const dayIn = (ms: number) => businessDate(now + ms, 'Asia/Shanghai')
    const expected = new Map<number | null, number>([[null, 1]])
    for (const ms of [DAY_MS, 2 * DAY_MS, DAY_MS, 2 * DAY_MS, HOUR_MS])
      expected.set(dayIn(ms), (expected.get(dayIn(ms)) ?? 0) + 1)
    expect(new Map(rows.map(({ day, permits }) => [day, permits]))).toEqual(expected)
    expect(rows.find(({ day }) => day === null)).toMatchObject({
      source: 'subscribe',
      template_id: TEMPLATE_ID,
      users: 1,
    })
    expect(rows.find(({ day }) => day === dayIn(2 * DAY_MS))).toMatchObject({ source: 'form', users: 2 })
  })

  test('v_wx_counter_drift names the same users as the audit', async () => {
    await world.has(users(1, 4).permits(2))
    expect(await view('v_wx_counter_drift')).toEqual([])
    await db('wx_message_push_status').where({ user_id: 1 }).update({ count: 5 })
    await db('wx_message_push_status').where({ user_id: 2 }).delete()
    await db('wx_save_form_id').where({ user_id: 3 }).update({ status: 2 })
    const drift = await db('v_wx_counter_drift').orderBy('user_id')
    expect(drift).toMatchObject([
      { user_id: 1, count: 5, permits: 2 },
      { user_id: 2, count: null, permits: 2 },
      { user_id: 3, count: 2, permits: 0 },
    ])
    const { checks } = await audit(db, now, false)
    const wrong = checks.find(({ name }) => name === 'counter_is_exact')?.violations ?? []
    // The audit names them in the order in which the server finds them.
    expect(wrong.map((row) => ({ ...row }))).toEqual(expect.arrayContaining(drift.map((row) => ({ ...row }))))
    expect(wrong.length).toBe(drift.length)
  })
})
