import { describe, expect, test } from 'vitest'
import { addDays } from '../../src/lib/business-date.js'
import { findBalance } from '../../src/permits/find-balance.js'
import { explainUser } from '../../src/reminders/explain.js'
import { findRunStatus } from '../../src/reminders/status.js'
import { findForecast } from '../../src/summaries/forecast.js'
import { findGoingDark } from '../../src/summaries/going-dark.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, OFFICIAL_PATH, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

const OFFICIAL = { channel: 'official' } as const

/** What is said of a service account's reminders before and after a run. */
describe.each(dialects)('what is told of a service account on %s', (dialect) => {
  const world = useWorld(dialect)
  const { db, clock } = world
  const official = () => ({ ...world.account, ...OFFICIAL, retentionDays: 90 })
  const remind = () => world.startProcess().remind({ account: OFFICIAL })
  const explain = (userId: number, date = TODAY) => explainUser(db, official(), userId, date, clock.now())

  test('explain promises a reminder without a permit, day after day', async () => {
    clock.advance(-HOUR_MS)
    await world.has(user(1).following())
    for (const days of [0, 1, 30]) {
      const told = await explain(1, addDays(TODAY, days))
      expect(told).toMatchObject({
        outcome: 'will_be_reminded',
        sentence: expect.stringContaining('no permit'),
        sentence_zh: expect.stringContaining('无需凭证'),
      })
      expect(told.checks.map(({ name, ok }) => [name, ok])).toEqual([
        ['known', true],
        ['not_reminded', true],
        ['not_stopped', true],
        ['not_signed_in', true],
        ['has_open_id', true],
        ['reached', true],
      ])
    }
  })

  test('explain says what stands in the way, and never a permit', async () => {
    clock.advance(-HOUR_MS)
    await world.has(
      user(1).following().signedInToday(),
      user(2).following().optedOut(),
      user(3).following().blocked(),
      user(4).permits(1),
    )
    const outcomes = []
    for (const id of [1, 2, 3, 4]) outcomes.push((await explain(id)).outcome)
    expect(outcomes).toEqual(['signed_in', 'opted_out', 'blocked', 'no_open_id'])
    expect(await explain(4)).toMatchObject({ sentence: expect.stringContaining('PUT /v1/users') })

    clock.advance(HOUR_MS)
    expect(await remind()).toMatchObject({ due: 0 })
    clock.advance(HOUR_MS)
    for (const [i, outcome] of outcomes.entries()) expect(await explain(i + 1)).toMatchObject({ outcome })
  })

  test('explain of a day that is over goes by the channel of that day', async () => {
    await world.has(user(1).following(), user(2).permits(1))
    await remind()
    clock.advance(DAY_MS)
    const later = { ...official(), channel: 'form_id' as const }
    expect(await explainUser(db, later, 1, TODAY, clock.now())).toMatchObject({ outcome: 'reminded' })
    expect(await explainUser(db, later, 2, TODAY, clock.now())).toMatchObject({ outcome: 'no_open_id' })
  })

  test('explain names the code of a message that was given back', async () => {
    await world.has(user(1).following())
    world.wechat.addFault({ kind: 'errcode', errcode: 43116, match: { path: OFFICIAL_PATH } })
    await remind()
    clock.advance(MINUTE_MS)
    expect(await explain(1)).toMatchObject({
      outcome: 'run_halted',
      sentence: expect.stringContaining('43116'),
    })
  })

  test('the forecast reaches everybody every day, spends nothing, and is what the run then does', async () => {
    clock.advance(-HOUR_MS)
    await world.has(
      users(1, 3).following(),
      user(4).following().signedInToday(),
      user(5).following().optedOut(),
      user(6).permits(3),
    )
    const { days } = await findForecast(db, official(), { days: 4 }, clock.now())
    expect(
      days.map(({ reachable, permits_left, going_dark }) => [reachable, permits_left, going_dark]),
    ).toEqual([
      [3, 0, 0],
      [4, 0, 0],
      [4, 0, 0],
      [4, 0, 0],
    ])
    const dark = { date: TODAY, limit: 10 }
    expect(await findGoingDark(db, official(), dark, clock.now())).toMatchObject({ users: [], next: null })
    clock.advance(HOUR_MS)
    expect(await remind()).toMatchObject({ delivered: 3 })
    clock.advance(DAY_MS)
    expect(await remind()).toMatchObject({ delivered: 4 })
  })

  test('the status of a run counts nobody as lacking a permit', async () => {
    await world.has(users(1, 2).following(), user(3).following().signedInToday(), user(4).permits(1))
    await remind()
    const status = await findRunStatus(db, official(), TODAY, clock.now())
    expect(status).toMatchObject({ planned: 2, due: 2, delivered: 2 })
    expect(status.skipped).toMatchObject({
      signed_in: 1,
      no_permit: null,
      no_valid_permit: null,
      opted_out: 0,
      blocked: 0,
    })
  })

  test('the balance of a user says that no permit is needed', async () => {
    await world.has(user(1).following())
    expect(await findBalance(db, official(), 1, clock.now())).toMatchObject({
      permits: 0,
      ask: false,
      reason: 'not_needed',
    })
  })
})
