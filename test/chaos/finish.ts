import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Knex } from 'knex'
import { selectRows } from '../../src/db/sql.js'
import type { Delivery } from '../../src/sandbox/ledger.js'
import type { Cast } from './cast.js'
import { letRetriesBeDue } from './troubles.js'

const MAX_FINISHING_RUNS = 30
const LOOK_MS = 100
/** Longer than the lease of a withdrawal (15 s) and the last not_before (12 s) together, on a busy machine. */
const WORKED_OFF_WITHIN_MS = 120_000

/** Lets undisturbed processes bring to its end what the chaos has left. */
export async function finish(cast: Cast): Promise<void> {
  const { stage, processes } = cast
  const { course, db, trace } = stage
  await workOff(cast)
  for (let run = 1; run <= MAX_FINISHING_RUNS; run++) {
    await letRetriesBeDue(db)
    const answer = await processes.runToTheEnd('remind')
    const { state, due, retrying } = answer
    trace(`finishing ${JSON.stringify(answer)}`)
    if (course.trouble.length > 0) return
    if (state === 'done' && due === 0 && retrying === 0) break
    if (run === MAX_FINISHING_RUNS) course.fail(`not finished: ${JSON.stringify(answer)}`)
  }
  await processes.runToTheEnd('recover')
  await processes.runToTheEnd('expire')
}

/**
 * Submitted messages and WeChat's events wait for a service. Events whose message is not known wait for hours, and move
 * nothing.
 */
async function workOff({ stage, processes, submitter, ports }: Cast): Promise<void> {
  const { course, db, trace } = stage
  const service = processes.startCalm(['serve'], ports[0])
  const deadline = performance.now() + WORKED_OFF_WITHIN_MS
  const isStuck = (): boolean => service.ending !== undefined || performance.now() > deadline
  const until = async (left: string): Promise<void> => {
    while (!isStuck() && (await countRows(db, left)) > 0) {
      await letRetriesBeDue(db)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
    if (isStuck()) course.fail(`not worked off: ${await countRows(db, left)} of ${left}`)
  }
  const OPEN = "wx_submitted_message WHERE state = 'open'"
  await submitter.settle(isStuck)
  trace('every answer is in')
  await until(OPEN)
  await submitter.requeueDead(isStuck)
  await until(OPEN)
  await until("wx_callback_event WHERE state = 'stored'")
  service.signal('SIGTERM')
  await service.ended
}

const OVERTAKEN = /"event":"lease\.lapsed".*"message_id":(\d+)/g

/** Messages that processes say they left to others. */
export function findOvertaken(folder: string): Set<number> {
  const logs = readdirSync(folder).filter((name) => name.endsWith('.log'))
  const ids = logs.flatMap((name) =>
    [...readFileSync(join(folder, name), 'utf8').matchAll(OVERTAKEN)].map(([, id]) => Number(id)),
  )
  return new Set(ids)
}

async function countRows(db: Knex, from: string): Promise<number> {
  const [row] = await selectRows<{ n: number }>(db, `SELECT COUNT(*) AS n FROM ${from}`)
  return Number(row?.n)
}

export async function countStates(db: Knex): Promise<Record<string, number>> {
  const rows = await selectRows<{ state: string; n: number }>(
    db,
    'SELECT state, COUNT(*) AS n FROM wx_push_message GROUP BY state',
  )
  return Object.fromEntries(rows.map(({ state, n }) => [state, n]))
}

/** How submitted messages ended. */
export async function countSubmitted(db: Knex): Promise<Record<string, number>> {
  const rows = await selectRows<{ state: string; n: number }>(
    db,
    'SELECT state, COUNT(*) AS n FROM wx_submitted_message GROUP BY state',
  )
  return Object.fromEntries(rows.map(({ state, n }) => [state, n]))
}

const TABLES = [
  'wx_push_message',
  'wx_submitted_message',
  'wx_message_attempt',
  'wx_submission',
  'wx_message_retry',
  'wx_claim',
  'wx_save_form_id',
  'wx_message_push_status',
  'wx_job_run',
  'wx_job_cursor',
  'wx_sign_in',
  'wx_user',
  'wx_callback_event',
]

/** As lines of JSON, since a private server goes with its data. */
export async function keepTables(
  db: Knex,
  folder: string,
  lists: { ledger: Delivery[]; requests: object[]; disturbances: object[]; submitted: object[] },
): Promise<void> {
  const write = (name: string, rows: object[]): void =>
    writeFileSync(join(folder, `${name}.jsonl`), rows.map((row) => `${stringify(row)}\n`).join(''))
  for (const [name, rows] of Object.entries(lists)) write(name, rows)
  for (const table of TABLES) write(table, await selectRows<object>(db, `SELECT * FROM ${table}`))
}

/** A number beyond 2^53 is a bigint, such as the end of a run's last range, and JSON does not know it. */
function stringify(row: object): string {
  return JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
}
