import { describe, expect, test } from 'vitest'
import { execute } from '../../src/db/sql.js'
import { DAY_MS, HOUR_MS, NOW, SEND_PATH, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)("submitted messages and WeChat's quota on %s", (dialect) => {
  const world = useWorld(dialect, { leaves: 'clean books' })

  test('stop where the reminders that are still planned need the rest, and go on the next day', async () => {
    await world.has(users(1, 20).permits(2))
    await execute(
      world.db,
      `INSERT INTO wx_platform_answer (app_id, subject, answer, answered_at, version)
       VALUES (?, ?, '{"daily_limit":25,"used":0,"remain":25,"ended":0}', ?, 1)`,
      [world.account.appId, `quota:${SEND_PATH}`, NOW],
    )
    await execute(
      world.db,
      `INSERT INTO wx_forecast_day (app_id, made_on, day, position, reachable, permits_left, going_dark, as_of)
       VALUES (?, ?, ?, 1, 20, 0, 0, 1)`,
      [world.account.appId, TODAY, TODAY],
    )
    await submitTo(world, users(1, 12).ids, { not_after: NOW + 3 * DAY_MS })
    expect(await sendSubmitted(world, world.startProcess())).toMatchObject({ delivered: 5 })
    expect(await sendSubmitted(world, world.startProcess())).toMatchObject({ delivered: 0 })
    expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 20 })
    world.clock.advance(15 * HOUR_MS)
    await execute(world.db, 'DELETE FROM wx_forecast_day')
    expect(await sendSubmitted(world, world.startProcess())).toMatchObject({ delivered: 7 })
  })
})
