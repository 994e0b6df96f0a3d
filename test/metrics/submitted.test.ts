import { describe, expect, test } from 'vitest'
import { createMetrics } from '../../src/metrics/metrics.js'
import { APP_ID, HOUR_MS, MINUTE_MS } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { readScrape } from '../helpers/scrape.js'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { openIdOf, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

const NO_TOKENS = { refreshed: 0, failed: 0, earlyDeaths: { count: 0, firstAt: undefined } }

describe.each(dialects)('the metrics of submitted messages on %s', (dialect) => {
  const world = useWorld(dialect)

  async function scrape() {
    const { account, db, clock } = world
    const metrics = createMetrics({ version: '1.2.3' })
    const counters = () => ({ wrong: 0, passes: 0 })
    metrics.of(account).watch({ db, now: clock.now, tokens: () => NO_TOKENS, counters })
    const told = readScrape(await metrics.text())
    return {
      dueFor: told.value('reminder_submitted_oldest_due_seconds', { app_id: APP_ID }),
      dead: told.value('reminder_submitted_dead_messages', { app_id: APP_ID }),
    }
  }

  test('say how long the oldest one waits since its time came, and nothing while it has not come', async () => {
    const { clock } = world
    expect(await scrape()).toEqual({ dueFor: 0, dead: 0 })
    await world.has(users(1, 2).permits(1))
    await submitTo(world, users(1, 2).ids, { not_before: clock.now() + HOUR_MS })
    expect((await scrape()).dueFor).toBe(0)
    clock.advance(HOUR_MS + 90 * MINUTE_MS)
    expect((await scrape()).dueFor).toBe(90 * 60)
  })

  test('count dead letters, and no message that ended otherwise', async () => {
    await world.has(users(1, 3).permits(1))
    const wrong = { kind: 'errcode', errcode: 47003, match: { open_id: openIdOf(1) } } as const
    world.wechat.addFault(wrong)
    await submitTo(world, users(1, 3).ids)
    const process = world.startProcess()
    for (let pass = 0; pass < 5; pass++) {
      await sendSubmitted(world, process)
      world.clock.advance(HOUR_MS)
    }
    expect(await scrape()).toEqual({ dueFor: 0, dead: 1 })
  })
})
