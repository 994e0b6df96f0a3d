import type { Knex } from 'knex'
import { execute, MAX_LIST, placeholders, selectRows } from '../../src/db/sql.js'
import { chunks } from '../../src/lib/chunks.js'
import type { MysqlServer } from '../helpers/mysql-server.js'
import { NO_OUTAGE, outage } from './faults.js'
import type { Luck } from './luck.js'
import { putParcelTemplate } from './parcel-template.js'
import type { Disturbance } from './processes.js'
import type { Stage } from './stage.js'

/** What goes wrong around the processes, as long as the chaos goes on. Each function is one trouble. */

export interface Counts {
  database_restarts: number
  outages: number
}

export function meddleWithTokens({ course, sandbox }: Stage, luck: Luck): Promise<void> {
  const pause = { low: 1_000, high: 4_000 }
  return course.repeat(luck, pause, () => sandbox.control.killTokens())
}

/** Kills the database each time that there were so many kills more. */
export async function restartDatabase(
  { course, options, trace }: Stage,
  server: MysqlServer,
  luck: Luck,
  counts: Counts,
  processes: { count: { kills: number }; disturbances: Disturbance[] },
): Promise<void> {
  const every = Math.max(8, Math.min(40, Math.floor(options.kills / 3)))
  for (let next = every; !course.isOver; next += every) {
    while (!course.isOver && processes.count.kills < next) await course.pause(25)
    if (course.isOver) return
    trace('database killed')
    const from = Date.now()
    await server.kill()
    await course.pause(luck.between(50, 1_500))
    await server.restart()
    processes.disturbances.push({ kind: 'database', from, until: Date.now() })
    counts.database_restarts++
    trace('database up')
  }
}

/** WeChat is busy for a while, for everybody. */
export async function takeNothingNowAndThen(
  { course, options, sandbox, trace }: Stage,
  luck: Luck,
  counts: Counts,
): Promise<void> {
  const wechat = sandbox.control
  await course.repeat(luck, { low: 4_000, high: 12_000 }, async () => {
    const fault = outage(luck, options.channel)
    trace(`outage ${fault.errcode ?? fault.status}`)
    wechat.addFault(fault)
    await course.pause(luck.between(500, 4_000))
    wechat.addFault(NO_OUTAGE)
    counts.outages++
    trace('outage over')
  })
}

/** A minute that WeChat asked for (45011) is over in a second: else few such messages came back in the chaos. */
export function hurryRetries({ course, db }: Stage, luck: Luck): Promise<void> {
  return course.repeat(luck, { low: 1_000, high: 1_000 }, () => letRetriesBeDue(db).catch(() => {}))
}

/**
 * Not before its time: a submitted message that has one waits for it in the same table. They are chosen first, since an
 * UPDATE would wait for the transaction that is just storing one, and then not know its time.
 */
export async function letRetriesBeDue(db: Knex): Promise<void> {
  const now = Date.now()
  const rows = await selectRows<{ message_id: number }>(
    db,
    `SELECT r.message_id FROM wx_message_retry r LEFT JOIN wx_submitted_message s ON s.message_id = r.message_id
     WHERE r.next_attempt_at > ? AND (s.not_before IS NULL OR s.not_before <= ?)`,
    [now + 1_000, now],
  )
  for (const ids of chunks(rows, MAX_LIST))
    await execute(
      db,
      `UPDATE wx_message_retry SET next_attempt_at = ? WHERE message_id IN (${placeholders(ids.length)})`,
      [now, ...ids.map(({ message_id }) => message_id)],
    )
}

/** The backend's own template does not fit its messages most of the time: they become dead letters, if it lasts. */
export async function breakParcelTemplate({ course, sandbox }: Stage, luck: Luck): Promise<void> {
  await course.repeat(luck, { low: 2_000, high: 5_000 }, async () => {
    putParcelTemplate(sandbox.control, true)
    await course.pause(luck.between(6_000, 15_000))
    putParcelTemplate(sandbox.control, false)
  })
}
