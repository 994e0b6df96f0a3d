import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createCallbackWorker } from '../../src/callbacks/process.js'
import { readAccount, readConfig } from '../../src/config/read.js'
import { selectRows } from '../../src/db/sql.js'
import { openBase, openSending } from '../../src/deps.js'
import { jobsOf } from '../../src/jobs.js'
import { audit } from '../../src/operations/audit.js'
import { createCounterCheck } from '../../src/operations/counter-check.js'
import { EXPIRE } from '../../src/permits/expire.js'
import { REMIND } from '../../src/reminders/run.js'
import { PURGE } from '../../src/retention/purge.js'
import type { Job } from '../../src/schedule/job.js'
import { createSubmittedWorker } from '../../src/submitted/worker.js'
import { ERRCODES, tokenEndpointErrcodeOf, tokenStaysRefused } from '../../src/wechat/errcodes.js'
import { createTestDatabase, type TestDatabase } from '../helpers/database.js'
import { SERVICE_ENV } from '../helpers/service.js'
import { all, languagesOf, PAGES, read, rowsOf, sorted, wordOf, wordsIn } from './pages.js'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase('sqlite')
})
afterAll(() => database.close())

const SOURCES = new URL('../../src/', import.meta.url)

/** Jobs with rows in wx_job_run, which log under their own names. */
const OCCURRENCES = [REMIND, EXPIRE, PURGE]

/** The whole program, file by file. */
const SOURCE = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => readFileSync(new URL(file, SOURCES), 'utf8'))
  .join('\n')

/** The name of each event that the service logs. The sandbox logs none. */
const EVENTS = sorted([
  ...all(SOURCE, /(?:\bevent: |\? |: )'([a-z]+\.[a-z_]+|migrated)'/g),
  ...all(SOURCE, /\bevent: `\$\{job\}(\.[a-z_]+)`/g).flatMap((event) =>
    OCCURRENCES.map((job) => job + event),
  ),
])

/** The jobs of a service. */
async function findJobs(): Promise<Job[]> {
  const env = { ...SERVICE_ENV, DATABASE_URL: database.url }
  const account = readAccount(env)
  const base = openBase(readConfig(env))
  const sending = openSending(base, readConfig(env), account)
  const callbacks = createCallbackWorker({ ...base, account })
  const counters = createCounterCheck(base.db, account.appId)
  const jobs = jobsOf(account, {
    sending,
    callbacks,
    submitted: createSubmittedWorker(sending, account),
    webhooks: undefined,
    counters,
    retentionDays: 90,
    assertClock: async () => {},
  })
  await callbacks.stop()
  await sending.close()
  await base.close()
  return jobs
}

describe.each(languagesOf('docs/operating.md'))('%s', (page) => {
  test('lists exactly the jobs of the schedule, and when they are looked at', async () => {
    const jobs = await findJobs()
    const rows = new Map(rowsOf(page, 'job', '任务').map(([name, when = '']) => [wordOf(name), when]))
    expect(sorted(rows.keys())).toEqual(sorted(jobs.map(({ name }) => name)))
    for (const { name, ticks } of jobs) {
      const seconds = all(ticks.join(), /^\*\/(\d+) \* \* \* \* \*$/g)
      expect(all(rows.get(name) ?? '', /(\d+) (?:s\b|秒)/g), name).toEqual(seconds)
    }
  })

  test('lists exactly the states of a run', async () => {
    const [row] = await selectRows<{ sql: string }>(
      database.db,
      "SELECT sql FROM sqlite_master WHERE name = 'wx_job_run'",
    )
    const [states = ''] = all(row?.sql ?? '', /CHECK \(state IN \(([^)]*)\)/g)
    expect(rowsOf(page, 'state', '状态').map(([state]) => wordOf(state))).toEqual(all(states, /'(\w+)'/g))
  })

  test('lists exactly the events of the log', () => {
    const listed = rowsOf(page, 'level', '级别').flatMap(([, events]) => wordsIn(events))
    const others = ['remind', 'expire', 'done', 'limited']
    expect(EVENTS.length).toBeGreaterThan(25)
    expect(sorted(listed).filter((word) => !others.includes(word))).toEqual(EVENTS)
  })

  test('has symptoms with codes of WeChat that are known, under the names that they have', () => {
    const known = [...ERRCODES, tokenEndpointErrcodeOf(40001), tokenStaysRefused(40001)]
    const symptoms = rowsOf(page, 'symptom', '现象').map(([symptom = '']) => symptom)
    const codes = symptoms.flatMap((symptom) => all(symptom, /\b(4\d{4})\b/g)).map(Number)
    expect(codes.length).toBeGreaterThan(8)
    expect(known.map(({ errcode }) => errcode)).toEqual(expect.arrayContaining(codes))
    const names = symptoms.flatMap((symptom) => all(symptom, /4\d{4} `(\w+)`/g))
    expect(names.length).toBe(2)
    expect(known.map(({ name }) => name)).toEqual(expect.arrayContaining(names))
  })

  test('quotes messages that the program has', () => {
    const symptoms = rowsOf(page, 'symptom', '现象').map(([symptom = '']) => symptom)
    const quoted = symptoms
      .flatMap((symptom) => [...all(symptom, /["“]([^"”]+)["”]/g), ...wordsIn(symptom)])
      .filter((text) => text.includes(' '))
      .map((message) => message.replace(/^… |:.*$/g, ''))
    expect(quoted.length).toBe(4)
    for (const message of quoted) expect(SOURCE, message).toContain(message)
  })
})

test.each(PAGES)('%s names checks of the audit that there are', async (page) => {
  const { checks } = await audit(database.db, Date.now(), false)
  const named = all(
    read(page),
    /`((?:counter|one|oldest|spent|message|permit|totals|last_date)_(?:is|has|goes|of|per|permit|reminder)_\w+)`/g,
  )
  expect(checks.map(({ name }) => name)).toEqual(expect.arrayContaining(named))
})
