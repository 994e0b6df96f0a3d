import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readAccount } from '../../src/config/read.js'
import { selectRows } from '../../src/db/sql.js'
import { audit } from '../../src/operations/audit.js'
import { createSchedule, type ScheduledJobs } from '../../src/schedule/schedule.js'
import { ERRCODES, tokenEndpointErrcodeOf, tokenStaysRefused } from '../../src/wechat/errcodes.js'
import { createTestDatabase, type TestDatabase } from '../helpers/database.js'
import { APP_ID } from '../helpers/service.js'
import { all, languagesOf, PAGES, read, rowsOf, sorted, wordOf, wordsIn } from './pages.js'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase('sqlite')
})
afterAll(() => database.close())

const SOURCES = new URL('../../src/', import.meta.url)

/** The name of each event that the service logs. The sandbox logs none. */
const EVENTS = sorted(
  readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(new URL(file, SOURCES), 'utf8'))
    .flatMap((source) => all(source, /(?:\bevent: |\? |: )'([a-z]+(?:\.[a-z_]+)|migrated)'/g)),
)

/** The jobs that a schedule looks at when it starts. */
async function jobNames(): Promise<string[]> {
  const names: string[] = []
  const jobs = new Proxy({} as ScheduledJobs, {
    get: (_, name) => async () => {
      names.push(String(name))
    },
  })
  const nothing = () => {}
  const log = { debug: nothing, info: nothing, warn: nothing, error: nothing }
  const schedule = createSchedule(readAccount({ WX_APP_ID: APP_ID }), jobs, log)
  schedule.start()
  await schedule.stop()
  return names
}

describe.each(languagesOf('docs/operating.md'))('%s', (page) => {
  test('lists exactly the jobs of the schedule', async () => {
    expect(sorted(rowsOf(page, 'job', '任务').map(([job]) => wordOf(job)))).toEqual(sorted(await jobNames()))
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
})

test.each(PAGES)('%s names checks of the audit that there are', async (page) => {
  const { checks } = await audit(database.db, Date.now(), false)
  const named = all(
    read(page),
    /`((?:counter|one|oldest|spent|message|permit|totals|last_date)_(?:is|has|goes|of|per|permit|reminder)_\w+)`/g,
  )
  expect(checks.map(({ name }) => name)).toEqual(expect.arrayContaining(named))
})
