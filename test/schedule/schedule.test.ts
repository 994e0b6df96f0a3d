import cron from 'node-cron'
import { afterEach, expect, test, vi } from 'vitest'
import type { Account } from '../../src/account.js'
import { readAccount } from '../../src/config/read.js'
import { createLogger } from '../../src/lib/logger.js'
import { createSchedule, type Schedule, type ScheduledJobs } from '../../src/schedule/schedule.js'
import { eventually } from '../helpers/eventually.js'

const EVERY_SECOND = '* * * * * *'

/** Jobs that end when they are told to, and count. */
function controlledJobs() {
  const started = { remind: 0, expire: 0, recover: 0, callbacks: 0, purge: 0 }
  let underWay = 0
  let mostAtOnce = 0
  const finish: ((error?: Error) => void)[] = []
  let held = false
  const run = (name: keyof ScheduledJobs) => async () => {
    started[name]++
    if (!held) return
    underWay++
    mostAtOnce = Math.max(mostAtOnce, underWay)
    await new Promise<void>((resolve, reject) => {
      finish.push((error) => (error ? reject(error) : resolve()))
    }).finally(() => {
      underWay--
    })
  }
  return {
    jobs: {
      remind: run('remind'),
      expire: run('expire'),
      recover: run('recover'),
      callbacks: run('callbacks'),
      purge: run('purge'),
    },
    started,
    hold: () => {
      held = true
    },
    finishAll: (error?: Error) => {
      held = false
      for (const end of finish.splice(0)) end(error)
    },
    mostAtOnce: () => mostAtOnce,
  }
}

function recordedLog() {
  const lines: Record<string, unknown>[] = []
  const output = { write: (line: string) => lines.push(JSON.parse(line)) }
  return { log: createLogger({ level: 'info', secrets: [], output }), lines }
}

/** Counts the ticks of node-cron itself, whether a job follows or not. */
function countTicks(): () => number {
  let ticks = 0
  const original = cron.schedule.bind(cron)
  vi.spyOn(cron, 'schedule').mockImplementation((expression, tick, options) =>
    original(
      expression,
      (context) => {
        ticks++
        if (typeof tick === 'function') return tick(context)
      },
      options,
    ),
  )
  return () => ticks
}

const schedules: Schedule[] = []
function schedule(jobs: ScheduledJobs, { account = {}, log = recordedLog().log } = {}): Schedule {
  const settings: Account = { ...readAccount({ WX_APP_ID: 'wx1' }), ...account }
  const created = createSchedule(settings, jobs, log)
  schedules.push(created)
  return created
}

afterEach(async () => {
  vi.restoreAllMocks()
  await Promise.all(schedules.splice(0).map((each) => each.stop()))
})

test('what may have been missed is looked for at once when it starts', () => {
  const { jobs, started } = controlledJobs()
  schedule(jobs).start()
  expect(started).toEqual({ remind: 1, expire: 1, recover: 1, callbacks: 1, purge: 1 })
})

test('jobs tick in the zone of the account, each at its own expression and once a minute', () => {
  const create = vi.spyOn(cron, 'schedule')
  schedule(controlledJobs().jobs, {
    account: { timezone: 'America/Havana', remindCron: '7 7 * * *' },
  }).start()
  const account = readAccount({ WX_APP_ID: 'wx1' })
  expect(create.mock.calls.map(([expression]) => expression)).toEqual(
    expect.arrayContaining(['7 7 * * *', account.expireCron, '* * * * *']),
  )
  for (const [, , options] of create.mock.calls) expect(options).toEqual({ timezone: 'America/Havana' })
})

test('a job is not started beside itself, however many ticks come', async () => {
  const { jobs, started, hold, finishAll, mostAtOnce } = controlledJobs()
  hold()
  const ticks = countTicks()
  schedule(jobs, { account: { remindCron: EVERY_SECOND } }).start()
  await eventually('two ticks of the clock', () => ticks() >= 2)
  expect(started.remind).toBe(1)
  finishAll()
  await eventually('the next tick starts it again', () => started.remind > 1)
  // Five jobs, each once.
  expect(mostAtOnce()).toBe(5)
})

test('a job that fails is logged and tried again by the next tick', async () => {
  const { jobs, started, hold, finishAll } = controlledJobs()
  const { log, lines } = recordedLog()
  hold()
  schedule(jobs, { account: { remindCron: EVERY_SECOND }, log }).start()
  finishAll(new Error('the database is gone'))
  await eventually('the next tick', () => started.remind > 1)
  const failures = lines.filter(({ event }) => event === 'schedule.job_failed')
  expect(failures.map(({ job }) => job).sort()).toEqual(['callbacks', 'expire', 'purge', 'recover', 'remind'])
})

test('a stop waits for the jobs under way, and starts no other', async () => {
  const { jobs, started, hold, finishAll } = controlledJobs()
  hold()
  const under = schedule(jobs, { account: { remindCron: EVERY_SECOND } })
  under.start()
  let stopped = false
  const stopping = under.stop().then(() => {
    stopped = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(stopped).toBe(false)
  finishAll()
  await stopping
  const atStop = { ...started }
  const beside = controlledJobs()
  schedule(beside.jobs, { account: { remindCron: EVERY_SECOND } }).start()
  await eventually('another schedule ticks twice', () => beside.started.remind > 2)
  expect(started).toEqual(atStop)
})

test('starting twice ticks once, stopping twice is one stop', async () => {
  const create = vi.spyOn(cron, 'schedule')
  const { jobs, started } = controlledJobs()
  const twice = schedule(jobs)
  twice.start()
  const tasks = create.mock.calls.length
  twice.start()
  expect(create.mock.calls).toHaveLength(tasks)
  expect(started.remind).toBe(1)
  await Promise.all([twice.stop(), twice.stop()])
  await twice.stop()
})

test('a stop before the start is a stop, and a start after it does nothing', async () => {
  const create = vi.spyOn(cron, 'schedule')
  const { jobs, started } = controlledJobs()
  const never = schedule(jobs)
  await never.stop()
  never.start()
  expect(create).not.toHaveBeenCalled()
  expect(started).toEqual({ remind: 0, expire: 0, recover: 0, callbacks: 0, purge: 0 })
})
