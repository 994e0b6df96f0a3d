import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import type { Account } from '../account.js'
import { type Config, readAccount, readConfig } from '../config/read.js'
import { type Base, openBase, openSending } from '../deps.js'
import { businessDate, timeOn } from '../lib/business-date.js'
import { DAY_MS, HOUR_MS } from '../lib/durations.js'
import { expireStale } from '../permits/expire.js'
import { type RunReport, runReminders } from '../reminders/run.js'
import type { SweepCount } from '../runs/sweep-progress.js'
import { DEMO_APP_ID, DEMO_APP_SECRET, DEMO_PAGE, DEMO_TEMPLATE_ID } from '../sandbox/accounts.js'
import { type Sandbox, startSandbox } from '../sandbox/sandbox.js'
import { type Service, startService } from '../service.js'
import { type Books, compareBooks } from './books.js'
import { SAMPLE_DAYS, SAMPLE_USERS, sampleWeek } from './sample.js'
import { emptyUploads, type Uploads, uploadDay } from './upload.js'

const DATABASE_FILE = './data/demo.db'
export const DEMO_DATABASE_URL = `sqlite:${DATABASE_FILE}`
/** The demo's "now" is today at the hour of the daily run, so that it tells the same story at any time of day. */
const RUN_HOUR = 10
/** Some of WeChat's answers are lost on the way, to show that the retry delivers no message twice. */
const LOST_ANSWERS = 0.05

export interface Demo {
  booksAgree: boolean
  stop(): Promise<void>
}

interface DemoClock {
  now(): number
  set(time: number): void
}

/**
 * The whole job on sample users: a fresh embedded database, a simulated WeChat, a week of uploads and
 * sign-ins over HTTP, then the sweep and the daily run, by the same functions that the schedule calls.
 * Afterwards the service stays up until `stop`, unless `once` is set.
 */
export async function runDemo({ port, once }: { port: number; once: boolean }): Promise<Demo> {
  for (const suffix of ['', '-wal', '-shm']) await rm(DATABASE_FILE + suffix, { force: true })
  const apiKey = randomBytes(12).toString('hex')
  const account = readAccount(ACCOUNT_ENV)
  const clock = createClock()
  const runTime = timeOn(businessDate(Date.now(), account.timezone), RUN_HOUR, 0, account.timezone)
  const say = (line: string): boolean => process.stdout.write(`${line}\n`)

  const sandbox = await startSandbox({ now: clock.now })
  const undo = [sandbox.close]
  try {
    return await play()
  } catch (error) {
    await stop()
    throw error
  }

  async function stop(): Promise<void> {
    for (const release of undo.splice(0).reverse()) await release()
  }

  async function play(): Promise<Demo> {
    const config = readConfig({
      DATABASE_URL: DEMO_DATABASE_URL,
      WX_API_BASE_URL: sandbox.url,
      API_KEYS: `demo:${apiKey}`,
      SESSION_SECRET: randomBytes(32).toString('hex'),
      LOG_LEVEL: once ? 'warn' : 'info',
      PORT: String(once ? 0 : port),
    })
    clock.set(runTime - SAMPLE_DAYS * DAY_MS - HOUR_MS)
    const service = await startService(config, account, { migrate: true, now: clock.now })
    undo.push(service.stop)

    say(`A week of ${SAMPLE_USERS} users, uploaded to ${service.url} …`)
    const uploads = emptyUploads()
    for (const day of sampleWeek()) {
      clock.set(runTime - day.daysAgo * DAY_MS - HOUR_MS)
      await uploadDay({ url: service.url, apiKey, now: clock.now }, sandbox.control, day, uploads)
    }
    clock.set(runTime)
    sandbox.control.addFault({ kind: 'cut_after', rate: LOST_ANSWERS, match: { path: SEND_PATH } })
    const base = openBase(config, account, clock.now)
    const { sweep, report, books } = await sweepAndRemind(base, config, account, sandbox).finally(base.close)
    sandbox.control.clearFaults()
    for (const line of summary(uploads, sweep, report, books)) say(line)
    if (!once) {
      service.startSchedule()
      for (const line of whereToLook(service, sandbox, apiKey)) say(line)
    }
    return { booksAgree: books.agree, stop }
  }
}

const SEND_PATH = '/cgi-bin/message/wxopen/template/send'

const ACCOUNT_ENV = {
  WX_APP_ID: DEMO_APP_ID,
  WX_APP_SECRET: DEMO_APP_SECRET,
  REMINDER_TEMPLATE_ID: DEMO_TEMPLATE_ID,
  REMINDER_PAGE: DEMO_PAGE,
  REMINDER_DATA: JSON.stringify({
    keyword1: '日领积分',
    keyword2: '已经连续答题{streak}天',
    keyword4: '{date} {weekday}',
  }),
}

/** Runs on from the time it was last set to. */
function createClock(): DemoClock {
  let offset = 0
  return {
    now: () => Date.now() + offset,
    set(time) {
      offset = time - Date.now()
    },
  }
}

async function sweepAndRemind(
  base: Base,
  config: Config,
  account: Account,
  sandbox: Sandbox,
): Promise<{ sweep: SweepCount | undefined; report: RunReport; books: Books }> {
  const { db, log, now } = base
  const { signal } = new AbortController()
  const { appId } = account
  const sweep = await expireStale({ db, log, signal }, { appId, slot: now(), triggeredBy: 'manual' }, now())
  const sending = openSending(base, config, account)
  const date = businessDate(now(), account.timezone)
  const report = await runReminders(sending, account, { date, triggeredBy: 'manual', signal }).finally(
    sending.close,
  )
  return { sweep, report, books: await compareBooks(db, sandbox.control, now()) }
}

function summary(uploads: Uploads, sweep: SweepCount | undefined, report: RunReport, books: Books): string[] {
  const reasons = [...uploads.reasons].map(([reason, count]) => `${reason} ${count}`).join(', ')
  return [
    '',
    `uploads   ${uploads.sent} form_ids: ${uploads.accepted} accepted, ${uploads.duplicates} duplicates, ${uploads.rejected} refused (${reasons})`,
    `sign-ins  ${uploads.signIns}`,
    `expiry    ${sweep?.expired ?? 0} permits of ${sweep?.users ?? 0} users ran out`,
    `reminders ${report.due} due: ${report.delivered} delivered, ${report.failed} failed, ${report.unknown} unknown; ${report.skippedSignedIn} had signed in today`,
    `          ${books.answersLost} of WeChat's answers were lost on purpose; asked again with the same form_id, WeChat said "used": delivered once`,
    '',
    `our books ${books.ours} delivered, audit ${books.auditOk ? 'clean' : 'NOT CLEAN'}`,
    `WeChat's  ${books.theirs} delivered, ${books.repeated} users reminded twice (simulated WeChat)`,
    books.agree ? 'The books agree.' : `The books DO NOT agree: ${books.differences} messages differ.`,
  ]
}

function whereToLook(service: Service, sandbox: Sandbox, apiKey: string): string[] {
  return [
    '',
    'The service stays up, its clock at 10:00 today. Ctrl-C ends it.',
    `  HTTP, try it out   ${service.url}/docs`,
    `  API key            ${apiKey}`,
    `  tables             sqlite3 ${DATABASE_FILE} 'select state, count(*) from wx_push_message group by state'`,
    `  WeChat's ledger    ${sandbox.url}/sandbox/ledger?limit=5`,
    `  upload a form_id   curl -X POST ${service.url}/v1/form-ids -H 'Authorization: Bearer ${apiKey}' \\`,
    `                       -H 'Content-Type: application/json' -d '{"open_id":"oDemo1","user_id":1,"form_id":"the formId is a mock one"}'`,
    `  a wx.login code    curl -X POST ${sandbox.url}/sandbox/login-codes -H 'Content-Type: application/json' -d '{"open_id":"oDemo1"}'`,
    `  log in with it     curl -X POST ${service.url}/v1/sessions -H 'Content-Type: application/json' -d '{"code":"…"}'`,
  ]
}
