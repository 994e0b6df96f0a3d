import { describe, expect, test } from 'vitest'
import { addDays, toIsoDate } from '../../src/lib/business-date.js'
import { createIngest } from '../../src/permits/ingest.js'
import { recordSignIn } from '../../src/sign-ins/sign-in.js'
import { backTest } from '../../src/summaries/back-test.js'
import { findFlow } from '../../src/summaries/flow.js'
import { findForecast } from '../../src/summaries/forecast.js'
import { summarize } from '../../src/summaries/summarize.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, NOW, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { silentLog } from '../helpers/rows.js'
import { openIdOf } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

// @module-tag long

const USERS = 120
const DAYS = 18

/** The same numbers from 0 to 1 in each run. */
function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

describe.each(dialects)('two weeks and a half with the usual uploads and sign-ins on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'anything' })

  test('let the forecast say what to expect', async () => {
    const { db, account, clock, wechat } = world
    wechat.configure({ acceptUnknownFormIds: true })
    const random = chance(7)
    const process = world.startProcess()
    const keep = () =>
      summarize({ db, log: silentLog, now: clock.now, signal: new AbortController().signal }, account)
    const reminded: number[] = []
    const foretold: (number | null | undefined)[] = []
    let uploads = 0
    for (let day = 0; day < DAYS; day++) {
      clock.set(NOW + day * DAY_MS - HOUR_MS)
      const visitors = Array.from({ length: USERS }, (_, i) => i + 1).filter(() => random() < 0.35)
      const items = visitors.flatMap((userId) =>
        Array.from({ length: 1 + Math.floor(random() * 2) }, () => ({
          appId: account.appId,
          openId: openIdOf(userId),
          userId,
          source: 'form' as const,
          formId: `F-${++uploads}`,
          page: undefined,
          submittedAt: undefined,
        })),
      )
      await createIngest(db).upload(items, clock.now())
      for (const userId of visitors)
        if (random() < 0.6)
          await recordSignIn(db, { appId: account.appId, userId, day: addDays(TODAY, day) }, clock.now())
      clock.set(NOW + day * DAY_MS)
      reminded.push((await process.remind()).delivered)
      clock.set(NOW + day * DAY_MS + 12.5 * HOUR_MS)
      await keep()
      const [tomorrow] = (await findForecast(db, account, { days: 1 }, clock.now())).days
      foretold.push(tomorrow?.expected)
    }

    // The first evening has nothing to go by, nor have the next ones: three outcomes are needed.
    expect(foretold.slice(0, 4)).toEqual([null, null, null, expect.any(Number)])
    const { rows } = await backTest(db, account, clock.now())
    const [next, , third] = rows
    expect(next).toMatchObject({ firings_ahead: 1, days: DAYS - 4 })
    expect(next?.error_percent).toBeLessThan(20)
    expect(third?.error_percent).toBeLessThan((third?.reachable_error_percent ?? 0) / 2)
    const last = reminded.at(-1) ?? 0
    expect(Math.abs((foretold.at(-2) ?? 0) - last) / last).toBeLessThan(0.25)

    // What came since the last look is counted a minute after it was seen.
    clock.advance(MINUTE_MS)
    await keep()
    const { days } = await findFlow(db, account, { days: DAYS }, clock.now())
    expect(days[0]?.date).toBe(toIsoDate(TODAY))
    expect(days.map(({ spent }) => spent)).toEqual(reminded)
    expect(days.reduce((sum, { granted }) => sum + granted.form, 0)).toBe(uploads)
  })
})
