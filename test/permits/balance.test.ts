import { expect, test } from 'vitest'
import { NEVER_EXPIRES } from '../../src/books/index.js'
import { type Balance, balanceOf, type Holdings } from '../../src/permits/balance.js'
import { DAY_MS, HOUR_MS, NOW } from '../helpers/constants.js'

/** The next runs are 24 h apart, the first in 20 hours: the user signed in today, at two in the afternoon. */
const FIRST = NOW + 20 * HOUR_MS
const reminders = Array.from({ length: 30 }, (_, i) => ({ date: 20261121 + i, at: FIRST + i * DAY_MS }))
const days = (...counts: number[]) => counts.map((count) => NOW + count * DAY_MS)
const holdings = (values: Partial<Holdings> = {}): Holdings => ({
  expires: [],
  reminders,
  stop: undefined,
  ...values,
})
const ofForms = (values: Partial<Holdings>) => balanceOf('form_id', holdings(values), NOW)
const ofSubscriptions = (values: Partial<Holdings>) => balanceOf('subscribe', holdings(values), NOW)

const cases: [what: string, expires: number[], expected: Partial<Balance>][] = [
  ['nothing', [], { permits: 0, daysCovered: 0, coveredUntil: undefined, ask: true, reason: 'none_left' }],
  [
    'one of today',
    days(7),
    { permits: 1, daysCovered: 1, coveredUntil: 20261121, ask: true, reason: 'few_left' },
  ],
  [
    'three of today',
    days(7, 7, 7),
    { daysCovered: 3, coveredUntil: 20261123, ask: true, reason: 'few_left' },
  ],
  ['seven of today', days(7, 7, 7, 7, 7, 7, 7), { daysCovered: 7, ask: false, reason: 'enough' }],
  [
    'eight of today, one of which runs out unused',
    days(7, 7, 7, 7, 7, 7, 7, 7),
    { permits: 8, daysCovered: 7 },
  ],
  // The second day's reminder is due after the first two have run out.
  [
    'three that run out tomorrow',
    days(1, 1, 1),
    { permits: 3, daysCovered: 1, ask: true, reason: 'few_left' },
  ],
  [
    'one that runs out before the next reminder',
    days(0.5),
    { permits: 1, daysCovered: 0, reason: 'none_left' },
  ],
  ['one for each day', days(1, 2, 3), { daysCovered: 3, coveredUntil: 20261123 }],
  ['one for the third day, spent on the first', days(3), { daysCovered: 1, coveredUntil: 20261121 }],
  [
    'one that runs out at the very minute of the reminder',
    [FIRST + 60_000],
    { daysCovered: 0, ask: true, reason: 'none_left' },
  ],
]

test.each(cases)('of form_ids a user has %s', (_, expires, expected) => {
  expect(ofForms({ expires })).toMatchObject(expected)
})

test('accepted subscriptions reach as many days as there are, and seven are enough', () => {
  const accepted = (count: number) => ({ expires: Array<number>(count).fill(NEVER_EXPIRES) })
  expect(ofSubscriptions(accepted(0))).toMatchObject({ ask: true, reason: 'none_left' })
  expect(ofSubscriptions(accepted(6))).toMatchObject({ daysCovered: 6, ask: true, reason: 'few_left' })
  expect(ofSubscriptions(accepted(7))).toMatchObject({ daysCovered: 7, ask: false, reason: 'enough' })
  expect(ofSubscriptions(accepted(20))).toMatchObject({
    permits: 20,
    daysCovered: 20,
    coveredUntil: 20261140,
    ask: false,
  })
})

test('where the reminder comes once a week, a second form_id of today would run out unused', () => {
  const weekly = [0, 7, 14].map((day) => ({ date: 20261121 + day, at: FIRST + day * DAY_MS }))
  expect(ofForms({ reminders: weekly })).toMatchObject({ ask: true, reason: 'none_left' })
  expect(ofForms({ reminders: weekly, expires: days(7) })).toMatchObject({
    daysCovered: 1,
    ask: false,
    reason: 'enough',
  })
})

test('nobody is asked for a reminder that never comes', () => {
  expect(ofForms({ reminders: [] })).toMatchObject({ daysCovered: 0, ask: false, reason: 'enough' })
})

test('who wants no messages is not asked, but for a consent that WeChat takes again', () => {
  const expires = days(7)
  for (const stop of ['opted_out', 'blocked'] as const) {
    expect(ofForms({ expires, stop })).toMatchObject({ permits: 1, ask: false, reason: stop })
    expect(ofSubscriptions({ expires, stop })).toMatchObject({ ask: false, reason: stop })
  }
  expect(ofForms({ stop: 'refused' })).toMatchObject({ ask: false, reason: 'opted_out' })
  expect(ofSubscriptions({ stop: 'refused' })).toMatchObject({ ask: true, reason: 'refused' })
})

test('a service account needs no permits', () => {
  expect(balanceOf('official', holdings(), NOW)).toMatchObject({ ask: false, reason: 'not_needed' })
})
