import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { takeMigrationLock } from '../src/db/migration-lock.js'
import { execute, selectRows } from '../src/db/sql.js'
import { addDays, businessDate, toIsoDate } from '../src/lib/business-date.js'
import { audit } from '../src/operations/audit.js'
import { createIngest } from '../src/permits/ingest.js'
import { recordSignIn } from '../src/sign-ins/sign-in.js'
import { type Ended, runByNpm, runCommand, startCommand } from './helpers/command-line.js'
import { APP_ID } from './helpers/constants.js'
import {
  createEmptyDatabase,
  createTestDatabase,
  type Dialect,
  dialects,
  type TestDatabase,
} from './helpers/database.js'
import { eventually } from './helpers/eventually.js'
import { noonZone } from './helpers/noon-zone.js'
import { type StandIn, startStandIn } from './helpers/stand-in.js'
import { json, refusedUrl } from './helpers/wechat.js'

// @module-tag programs

const ZONE = noonZone()
const TODAY = businessDate(Date.now(), ZONE)
const openId = (userId: number) => `oUser${String(userId).padStart(23, '0')}`

let database: TestDatabase
let wechat: StandIn

beforeEach(async () => {
  wechat = await startStandIn()
})
afterEach(async () => {
  wechat.holdNoMore()
  await wechat.close()
  await database?.close()
})

function environment(): Record<string, string> {
  return {
    DATABASE_URL: database.url,
    WX_APP_ID: APP_ID,
    WX_APP_SECRET: 'the-secret-of-the-app',
    WX_API_BASE_URL: wechat.url,
    REMINDER_TEMPLATE_ID: 'template-1',
    REMINDER_PAGE: 'pages/sign-in/index',
    REMINDER_DATA: '{"keyword1":"第{streak}天","keyword2":"{date}"}',
    TIMEZONE: ZONE,
    SEND_UNTIL: '23:59',
    SEND_CONCURRENCY: '4',
  }
}

const run = (...words: string[]): Promise<Ended> => runCommand(words, environment())

/** The one object on stdout. Anything else there, a line of log for one, makes it no JSON. */
function answerOf({ stdout }: Ended): Record<string, unknown> {
  expect(stdout).toMatch(/^\{.*\}\n$/)
  return JSON.parse(stdout) as Record<string, unknown>
}

async function uploadFor(users: number, permits = 1): Promise<void> {
  const uploads = Array.from({ length: users * permits }, (_, i) => ({
    appId: APP_ID,
    openId: openId((i % users) + 1),
    userId: (i % users) + 1,
    formId: `form-${i}`,
    source: 'form' as const,
    page: undefined,
    submittedAt: undefined,
  }))
  await createIngest(database.db).upload(uploads, Date.now())
}

/** As if the time of a lease had gone by since the process that holds it died. */
async function lapseLeases(): Promise<void> {
  await execute(database.db, `UPDATE wx_claim SET lease_until = 1`)
}

async function countMessages(state: string): Promise<number> {
  const [row] = await selectRows<{ n: number }>(
    database.db,
    'SELECT COUNT(*) AS n FROM wx_push_message WHERE state = ?',
    [state],
  )
  return row?.n ?? 0
}

const NOTHING_DONE = {
  run_id: expect.any(Number),
  date: toIsoDate(TODAY),
  state: 'done',
  reason: null,
  reason_zh: null,
  due: 0,
  delivered: 0,
  failed: 0,
  unknown: 0,
  retrying: 0,
  cancelled: 0,
  skipped_signed_in: 0,
}

async function runOut(userId: number): Promise<void> {
  await execute(database.db, 'UPDATE wx_save_form_id SET expire = ? WHERE user_id = ?', [
    Date.now() - 1,
    userId,
  ])
}

async function expectExpireAndAudit(): Promise<void> {
  const expired = await run('expire', '--json')
  expect(expired.code).toBe(0)
  expect(answerOf(expired)).toEqual({ expired: 1, users: 1 })
  const audited = await run('audit', '--json')
  expect(audited.code).toBe(0)
  const names = [
    'counter_is_exact',
    'one_reminder_per_day',
    'oldest_permit_first',
    'spent_permit_has_message',
    'message_has_permit',
    'permit_goes_to_its_giver',
    'totals_of_ended_runs',
    'outcomes_are_those_of_messages',
    'open_message_will_go_on',
    'submitted_message_ended_as_it_says',
    'last_date_is_past',
  ]
  expect(answerOf(audited)).toEqual({
    ok: true,
    checks: names.map((name) => ({ name, ok: true, violations: [] })),
    fixed: 0,
    fixed_dates: 0,
    fixed_messages: 0,
    fixed_ends: 0,
    fixed_outcomes: 0,
  })
}

/** Everybody was sent to once by WeChat's own record, and our tables are in order and know it. */
async function expectEachOnce(users: number): Promise<void> {
  const receivers = wechat.taken.map((taken) => taken.openId).sort()
  expect(receivers).toEqual(Array.from({ length: users }, (_, i) => openId(i + 1)))
  expect(await countMessages('delivered')).toBe(users)
  expect(await audit(database.db, Date.now(), false)).toMatchObject({ ok: true })
}

test('the commands of a day do what they say, each with one JSON object on stdout', async () => {
  database = await createEmptyDatabase('mysql')
  const early = await run('audit', '--json')
  expect(early.code).toBe(1)
  expect(answerOf(early)).toMatchObject({
    error: { code: 'not_ready', message: expect.stringContaining('npm run migrate') },
  })
  const migrated = await runByNpm(['migrate'], environment())
  expect(migrated).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Migrated: \S+/) })

  await uploadFor(5)
  await recordSignIn(database.db, { appId: APP_ID, userId: 2, day: TODAY }, Date.now())
  for (const daysAgo of [2, 1]) {
    const day = addDays(TODAY, -daysAgo)
    await recordSignIn(database.db, { appId: APP_ID, userId: 3, day }, Date.now())
  }
  await runOut(5)

  const planned = await run('plan', '--json')
  expect(planned.code).toBe(0)
  expect(answerOf(planned)).toEqual({
    date: toIsoDate(TODAY),
    due: 3,
    skipped: {
      signed_in: 1,
      reminded_today: 0,
      failed_today: 0,
      unknown_today: 0,
      in_hand: 0,
      stopped: 0,
      no_valid_permit: 1,
      no_permit: 0,
    },
    given_back: 0,
    sample: expect.arrayContaining([
      expect.objectContaining({
        user_id: 3,
        data: { keyword1: { value: '第2天' }, keyword2: { value: toIsoDate(TODAY).replaceAll('-', '.') } },
      }),
    ]),
  })
  expect(wechat.taken).toEqual([])

  const reminded = await run('remind', '--json')
  expect(reminded.code).toBe(0)
  expect(answerOf(reminded)).toEqual({ ...NOTHING_DONE, due: 3, delivered: 3, skipped_signed_in: 1 })
  expect(reminded.stderr).toContain('"event":"remind.ended"')
  // A bar is for terminals.
  expect(reminded.stderr).not.toMatch(/[█░\r]/)
  expect(wechat.taken.map((taken) => taken.openId).sort()).toEqual([1, 3, 4].map(openId))
  expect(wechat.taken[0]?.message).toEqual({
    touser: expect.stringMatching(/^oUser/),
    template_id: 'template-1',
    form_id: expect.stringMatching(/^form-/),
    page: 'pages/sign-in/index',
    data: { keyword1: { value: expect.any(String) }, keyword2: { value: expect.any(String) } },
  })
  expect(answerOf(await run('remind', '--json'))).toEqual({ ...NOTHING_DONE, skipped_signed_in: 1 })
  expect(wechat.taken).toHaveLength(3)
  await expectExpireAndAudit()
})

test('on an embedded database a day goes the same way', async () => {
  database = await createEmptyDatabase('sqlite')
  expect(await run('migrate')).toMatchObject({ code: 0 })
  expect(answerOf(await run('remind', '--json'))).toEqual(NOTHING_DONE)
  await uploadFor(5)
  await runOut(5)
  await expectExpireAndAudit()
})

describe.each(dialects)('on %s', (dialect: Dialect) => {
  test('SIGTERM in the middle of remind gives back what was not sent, and the next one finishes', async () => {
    database = await createTestDatabase(dialect)
    await uploadFor(400)
    wechat.holdAfter(20)
    const first = startCommand(['remind', '--json'], environment())
    await eventually('answers are held back', () => wechat.held === 4)
    first.kill('SIGTERM')
    const toldAt = performance.now()
    let ended: Ended | undefined
    void first.ended.then((end) => {
      ended = end
    })
    const end = await eventually('it ends', () => {
      wechat.letGo()
      return ended
    })
    expect(performance.now() - toldAt).toBeLessThan(10_000)
    expect(end.code).toBe(2)
    const { state, delivered, cancelled, retrying } = answerOf(end)
    expect({ state, retrying }).toEqual({ state: 'paused', retrying: 0 })
    expect(delivered).toBe(wechat.taken.length)
    expect(cancelled).toBeGreaterThan(0)
    expect(await countMessages('sending')).toBe(0)
    expect(await audit(database.db, Date.now(), false)).toMatchObject({ ok: true })

    wechat.holdNoMore()
    const second = await run('remind', '--json')
    expect(second.code).toBe(0)
    expect(answerOf(second)).toMatchObject({ state: 'done', delivered: 400 - Number(delivered) })
    await expectEachOnce(400)
  })

  test('kill -9 in the middle of remind loses nobody and doubles nobody', async () => {
    database = await createTestDatabase(dialect)
    await uploadFor(100, 2)
    wechat.holdAfter(20)
    const first = startCommand(['remind', '--json'], environment())
    await eventually('answers are held back', () => wechat.held === 4)
    first.kill('SIGKILL')
    expect((await first.ended).signal).toBe('SIGKILL')
    wechat.holdNoMore()
    // What WeChat took and we do not know of, and what was claimed and never left.
    const open = await countMessages('sending')
    expect(open).toBeGreaterThanOrEqual(4)
    await lapseLeases()

    if (dialect === 'mysql') {
      const recovered = await run('recover', '--json')
      expect(recovered.code).toBe(0)
      expect(answerOf(recovered)).toEqual({
        delivered: open,
        failed: 0,
        unknown: 0,
        cancelled: 0,
        retrying: 0,
        in_hand: 0,
        in_hand_until: null,
        lapsed: 0,
        retries_due: 0,
        retries_later: 0,
        next_retry_at: null,
      })
    }
    const second = await run('remind', '--json')
    expect(second.code).toBe(0)
    expect(answerOf(second)).toMatchObject({ state: 'done', failed: 0, unknown: 0, retrying: 0 })
    await expectEachOnce(100)
  })
})

test('a remind that WeChat refuses for a mistake of ours ends with 2 and says why; --limit tries a few', async () => {
  database = await createTestDatabase('sqlite')
  await uploadFor(30)
  wechat.answerSends(json({ errcode: 40037, errmsg: 'invalid template_id' }))
  const halted = await run('remind', '--json')
  expect(halted.code).toBe(2)
  const { cancelled } = answerOf(halted)
  expect(answerOf(halted)).toEqual({
    ...NOTHING_DONE,
    state: 'halted',
    reason: expect.stringContaining('40037'),
    reason_zh: expect.stringContaining('40037'),
    due: 30,
    cancelled,
  })
  expect(await audit(database.db, Date.now(), false)).toMatchObject({ ok: true })

  wechat.answerSends(undefined)
  const few = await run('remind', '--limit', '3', '--json')
  expect(few.code).toBe(0)
  expect(answerOf(few)).toMatchObject({ state: 'limited', delivered: 3, due: 30 })
  const all = await run('remind')
  expect(all.code).toBe(0)
  expect(all.stdout).toMatch(/27 due: 27 delivered/)
  await expectEachOnce(30)
})

test('a remind for another day than today ends with 1, sends nothing and writes nothing', async () => {
  database = await createTestDatabase('sqlite')
  await uploadFor(3)
  // As a program of before writes them: assigned when a run begins.
  await execute(database.db, "UPDATE wx_save_form_id SET app_id = ''")
  for (const days of [-1, 1]) {
    const ended = await run('remind', '--date', toIsoDate(addDays(TODAY, days)), '--json')
    expect(ended.code).toBe(1)
    expect(answerOf(ended)).toMatchObject({ error: { code: 'invalid_request' } })
  }
  expect(await selectRows(database.db, 'SELECT id FROM wx_job_run')).toEqual([])
  expect(await selectRows(database.db, 'SELECT DISTINCT app_id FROM wx_save_form_id')).toEqual([
    { app_id: '' },
  ])
  expect(wechat.taken).toEqual([])
})

test('audit ends with 3 and names what is wrong; --fix recounts', async () => {
  database = await createTestDatabase('mysql')
  await uploadFor(3)
  await execute(database.db, 'UPDATE wx_message_push_status SET count = 5 WHERE user_id = 2')
  const found = await run('audit', '--json')
  expect(found.code).toBe(3)
  expect(answerOf(found)).toMatchObject({
    ok: false,
    fixed: 0,
    checks: expect.arrayContaining([
      {
        name: 'counter_is_exact',
        ok: false,
        violations: [{ app_id: APP_ID, user_id: 2, count: 5, permits: 1 }],
      },
    ]),
  })
  const fixed = await run('audit', '--fix')
  expect(fixed.code).toBe(0)
  expect(fixed.stdout).toContain(
    '1 counters recounted, 0 future last_date corrected, 0 messages to be taken over, 0 ends of submitted messages recorded again, the outcomes of 0 runs recounted.',
  )
})

test('words that make no sense are refused with 1 and a hint, before anything is opened', async () => {
  database = await createTestDatabase('sqlite')
  const cases: [string[], RegExp][] = [
    [['remind', '--limit', '', '--json'], /--limit.*whole number/],
    [['remind', '--limt', '3'], /unknown option '--limt'.*--limit/s],
  ]
  const ends = await Promise.all(cases.map(([words]) => run(...words)))
  for (const [i, [, hint]] of cases.entries())
    expect(ends[i]).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(hint) })
})

test('missing and wrong variables are all named at once, on stderr and in the JSON', async () => {
  const ended = await runCommand(['remind', '--json'], { PORT: 'x', API_KEYS: 'no-name-but-secret' })
  expect(ended.code).toBe(1)
  const { error } = answerOf(ended) as { error: { code: string; message: string } }
  expect(error.code).toBe('config_invalid')
  const names = ['WX_APP_ID', 'WX_APP_SECRET', 'REMINDER_TEMPLATE_ID', 'REMINDER_DATA', 'PORT', 'API_KEYS']
  for (const text of [error.message, ended.stderr]) {
    for (const name of names) expect(text).toContain(`- ${name}: `)
    expect(text).not.toContain('no-name-but-secret')
  }
})

test('a database that is down is told in words, and soon', async () => {
  const DATABASE_URL = `${(await refusedUrl()).replace('http://', 'mysql://user:pass-word@')}/reminder`
  const startedAt = performance.now()
  const ended = await runCommand(['audit', '--json'], { DATABASE_URL })
  expect(performance.now() - startedAt).toBeLessThan(15_000)
  expect(ended.code).toBe(1)
  expect(answerOf(ended)).toEqual({
    error: {
      code: 'not_ready',
      message: expect.stringMatching(/^The database does not answer \(ECONNREFUSED\)/),
    },
  })
  expect(ended.stderr).not.toContain('pass-word')
})

test('serve that is told to stop while it waits for a migration stops when it has started', async () => {
  database = await createTestDatabase('mysql')
  const release = await takeMigrationLock(database.db.client.config, () => {})
  const serving = startCommand(['serve', '--migrate'], { ...environment(), PORT: '0' })
  await eventually('it waits', () => serving.stderr.includes('Another process is migrating'))
  serving.kill('SIGTERM')
  await release()
  expect(await serving.ended).toMatchObject({ code: 0, signal: null })
})

test('two demos beside each other in one folder agree with their own WeChats, and leave nothing behind', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'reminder-demo-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const both = ['demo', 'demo'].map((command) => startCommand([command, '--once'], {}, folder).ended)
  for (const { stdout, code } of await Promise.all(both)) {
    expect(stdout).toContain('The books agree.')
    expect(code).toBe(0)
  }
  expect(readdirSync(join(folder, 'data'))).toEqual([])
})
