import cron from 'node-cron'
import { afterEach, expect, test, vi } from 'vitest'
import { createLogger } from '../../src/lib/logger.js'
import type { Job } from '../../src/schedule/job.js'
import { createSchedule, type Schedule } from '../../src/schedule/schedule.js'
import { eventually } from '../helpers/eventually.js'

const EVERY_SECOND = '* * * * * *'

const EVERY_MINUTE = '* * * * *'

/** Two jobs that end when they are told to, and count. */
function controlledJobs({ ticks = [EVERY_MINUTE] }: { ticks?: string[] } = {}) {
  const started = { quick: 0, slow: 0 }
  let underWay = 0
  let mostAtOnce = 0
  const finish: ((error?: Error) => void)[] = []
  let held = false
  const look = (name: keyof typeof started) => async () => {
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
    jobs: [
      { name: 'quick', ticks, look: look('quick') },
      { name: 'slow', ticks: [EVERY_MINUTE], look: look('slow') },
    ],
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
function schedule(jobs: Job[], { timezone = 'Asia/Shanghai', log = recordedLog().log } = {}): Schedule {
  const created = createSchedule(jobs, { appId: 'wxA', timezone }, log)
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
  expect(started).toEqual({ quick: 1, slow: 1 })
})

test('jobs tick in the zone they are given, each at all of its expressions', () => {
  const create = vi.spyOn(cron, 'schedule')
  const { jobs } = controlledJobs({ ticks: ['7 7 * * *', EVERY_MINUTE] })
  schedule(jobs, { timezone: 'America/Havana' }).start()
  expect(create.mock.calls.map(([expression]) => expression)).toEqual([
    '7 7 * * *',
    EVERY_MINUTE,
    EVERY_MINUTE,
  ])
  for (const [, , options] of create.mock.calls) expect(options).toMatchObject({ timezone: 'America/Havana' })
})

test('a job is not started beside itself, however many ticks come', async () => {
  const { jobs, started, hold, finishAll, mostAtOnce } = controlledJobs({ ticks: [EVERY_SECOND] })
  hold()
  const ticks = countTicks()
  schedule(jobs).start()
  await eventually('two ticks of the clock', () => ticks() >= 2)
  expect(started.quick).toBe(1)
  finishAll()
  await eventually('the next tick starts it again', () => started.quick > 1)
  // Two jobs, each once.
  expect(mostAtOnce()).toBe(2)
})

test('a job that fails is logged and tried again by the next tick', async () => {
  const { jobs, started, hold, finishAll } = controlledJobs({ ticks: [EVERY_SECOND] })
  const { log, lines } = recordedLog()
  hold()
  schedule(jobs, { log }).start()
  finishAll(new Error('the database is gone'))
  await eventually('the next tick', () => started.quick > 1)
  const failures = lines.filter(({ event }) => event === 'schedule.job_failed')
  expect(failures.map(({ job }) => job).sort()).toEqual(['quick', 'slow'])
})

test('a stop waits for the jobs under way, and starts no other', async () => {
  const { jobs, started, hold, finishAll } = controlledJobs({ ticks: [EVERY_SECOND] })
  hold()
  const under = schedule(jobs)
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
  const beside = controlledJobs({ ticks: [EVERY_SECOND] })
  schedule(beside.jobs).start()
  await eventually('another schedule ticks twice', () => beside.started.quick > 2)
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
  expect(started.quick).toBe(1)
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
  expect(started).toEqual({ quick: 0, slow: 0 })
})
