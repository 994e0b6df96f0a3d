import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FORM_ID_LIFETIME_MS, VALIDITY_MARGIN_MS } from '../../src/books/index.js'
import { execute } from '../../src/db/sql.js'
import { toIsoDate } from '../../src/lib/business-date.js'
import { firingsOn, parseCron } from '../../src/lib/cron.js'
import { MINUTE_MS } from '../../src/lib/durations.js'
import { comingDays } from '../../src/summaries/coming-days.js'
import { findForecast } from '../../src/summaries/forecast.js'
import { HOUR_MS, NOW, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { type Users, user } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

// @module-tag long

/** A user as chance would have it. */
interface Someone {
  /** Of each permit: whole hours, and a little more or less than the margin at the hour. */
  permits: { hours: number; more: number }[]
  subscriptions: number
  /** Its open_id is known: all that a service account needs. */
  follows: boolean
  is: 'plain' | 'signedInToday' | 'optedOut' | 'blocked' | 'remindedToday'
  /** One of the permits comes from a payment of a few seconds ago, or of long ago. */
  pays: 'no' | 'just now' | 'before'
}

const people = fc.array(
  fc.record<Someone>({
    permits: fc.array(
      fc.record({
        hours: fc.integer({ min: -30, max: FORM_ID_LIFETIME_MS / HOUR_MS }),
        more: fc.constantFrom(30 * MINUTE_MS, 30_000, VALIDITY_MARGIN_MS, VALIDITY_MARGIN_MS + 1),
      }),
      { maxLength: 7 },
    ),
    subscriptions: fc.integer({ min: 0, max: 4 }),
    follows: fc.boolean(),
    is: fc.constantFrom('plain', 'plain', 'plain', 'signedInToday', 'optedOut', 'blocked', 'remindedToday'),
    pays: fc.constantFrom('no', 'no', 'just now', 'before'),
  }),
  { minLength: 1, maxLength: 12 },
)

function storyOf(someone: Someone, id: number): Users {
  let story = user(id).subscriptions(someone.subscriptions)
  if (someone.follows) story = story.following()
  for (const { hours, more } of someone.permits) story = story.permitFor(hours * HOUR_MS + more)
  if (someone.is === 'signedInToday') story = story.signedInToday()
  if (someone.is === 'optedOut') story = story.optedOut()
  if (someone.is === 'blocked') story = story.blocked()
  if (someone.is === 'remindedToday') story = story.lastReminded(TODAY)
  return story
}

/** When the forecast is made: before the firing of the day, at it, later in its window, and after it. */
const moments = fc.constantFrom(NOW - 2 * HOUR_MS, NOW, NOW + 5 * HOUR_MS, NOW + 13 * HOUR_MS)
const crons = fc.constantFrom('0 10 * * *', '0 10 * * *', '30 9,18 * * *', '0 8 * * 1-5', '0 23 * * *')
const DAYS = 8

describe.each(dialects)('the forecast of each day on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'anything' })

  test.each(['form_id', 'subscribe', 'official'] as const)(
    'is the number of users whom the run then reminds, if nobody uploads or signs in, on channel %s',
    async (channel) => {
      await fc.assert(
        fc.asyncProperty(people, moments, crons, async (someone, now, remindCron) => {
          await world.reset()
          world.wechat.configure({ acceptUnknownFormIds: true })
          world.clock.set(now)
          await world.has(...someone.map((one, i) => storyOf(one, i + 1)))
          await pay(someone, now)
          const account = { ...world.account, channel, remindCron }
          const { days } = await findForecast(world.db, account, { days: DAYS }, now)
          const played = await play(account, now)
          expect(days.map(({ date, reachable }) => ({ date, reachable }))).toEqual(
            played.map(({ date, reminded }) => ({ date: toIsoDate(date), reachable: reminded.length })),
          )
          // Of the last day that sends, only the forecast knows what comes after it.
          const last = played.findLastIndex(({ sends }) => sends)
          expect(days.map(({ going_dark }) => going_dark).slice(0, Math.max(0, last))).toEqual(
            goingDark(played).slice(0, Math.max(0, last)),
          )
        }),
        { numRuns: dialect === 'sqlite' ? 15 : 8 },
      )
    },
  )

  /** Makes a permit of each of them one of a payment. */
  async function pay(someone: Someone[], now: number): Promise<void> {
    for (const [i, { pays }] of someone.entries()) {
      if (pays === 'no') continue
      await execute(
        world.db,
        `UPDATE wx_save_form_id SET source = 'pay', created_at = ? WHERE id = (
           SELECT id FROM (SELECT MIN(id) AS id FROM wx_save_form_id WHERE user_id = ? AND source = 'form') AS one)`,
        [pays === 'just now' ? now - 5_000 : now - HOUR_MS, i + 1],
      )
    }
  }

  /** Runs each coming day at its firing, as the schedule would. */
  async function play(
    account: typeof world.account,
    now: number,
  ): Promise<{ date: number; reminded: number[]; sends: boolean }[]> {
    const played = []
    const process = world.startProcess()
    for (const { date, sends } of comingDays(account, DAYS, now).days) {
      const before = world.wechat.ledger().length
      const [firing = 0] = firingsOn(parseCron(account.remindCron), date, account.timezone)
      if (sends) {
        world.clock.set(Math.max(now, firing))
        expect(await process.remind({ account })).toMatchObject({ state: 'done' })
      }
      played.push({ date, sends, reminded: world.reminded().slice(before) })
    }
    await process.kill()
    return played
  }

  function goingDark(played: { reminded: number[]; sends: boolean }[]): number[] {
    return played.map(({ reminded }, i) => {
      const next = played.slice(i + 1).find(({ sends }) => sends)
      return next ? reminded.filter((id) => !next.reminded.includes(id)).length : 0
    })
  }
})
