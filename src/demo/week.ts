import { businessDate } from '../lib/business-date.js'
import { DAY_MS, HOUR_MS } from '../lib/durations.js'
import { expireStale } from '../permits/expire.js'
import { subscriptionTemplates } from '../permits/known-templates.js'
import { type RunReport, runReminders } from '../reminders/run.js'
import type { SandboxControl } from '../sandbox/control.js'
import type { FaultSpec } from '../sandbox/faults.js'
import { FORM_ID_SEND_PATH, OFFICIAL_SEND_PATH, SUBSCRIBE_SEND_PATH } from '../sandbox/send-endpoints.js'
import { type CountOf, countStates } from '../submitted/count-store.js'
import type { State } from '../submitted/schemas.js'
import { findStock } from '../summaries/stock.js'
import { summarize } from '../summaries/summarize.js'
import { type DemoApp, openIdOf } from './app.js'
import { signIn } from './client.js'
import type { DemoClock } from './clock.js'
import { emptyFollows, type Follows, followAccount } from './followers.js'
import { emptyUploads, type Uploads, uploadFormIds } from './form-ids.js'
import { tellWinners } from './messages.js'
import { SAMPLE_DAYS, type SampleDay } from './sample.js'
import { findReminded, forgetToken } from './store.js'
import { emptyReports, type Reports, reportTaps } from './subscriptions.js'

/** What a mini-program's week came to. */
export interface Week {
  uploads: Uploads
  reports: Reports
  follows: Follows
  signIns: number
  /** Permits that the sweeps expired. */
  expired: number
  /** The reports of the daily runs, today's last. */
  runs: RunReport[]
  /** How many messages of the backend stand or ended like this, those of no state left out. */
  messages: CountOf<State | 'open'>[]
}

/** A mini-program and its week so far. */
export interface Played {
  app: DemoApp
  week: Week
}

export function emptyWeek(): Week {
  return {
    uploads: emptyUploads(),
    reports: emptyReports(),
    follows: emptyFollows(),
    signIns: 0,
    expired: 0,
    runs: [],
    messages: [],
  }
}

const EVENING_HOURS = 9
const ENDS = ['delivered', 'open', 'no_permit', 'cancelled', 'dead', 'failed', 'unknown', 'expired'] as const

/** Days before today on which WeChat misbehaves, and how. */
const TROUBLE: { daysAgo: number; faults: FaultSpec[] }[] = [
  {
    daysAgo: 2,
    // Our own mistake, as it seems: the template is gone. The run halts and gives everything back.
    faults: [FORM_ID_SEND_PATH, OFFICIAL_SEND_PATH].map((path) => ({
      kind: 'errcode',
      errcode: 40037,
      match: { path },
    })),
  },
  {
    daysAgo: 1,
    // People who refuse; some of them are due.
    faults: [3, 13, 23, 33, 43, 53, 63, 73, 83].flatMap((userId) => [
      {
        kind: 'errcode',
        errcode: 43101,
        match: { path: SUBSCRIBE_SEND_PATH, open_id: openIdOf('subscribe', userId) },
      },
      {
        kind: 'errcode',
        errcode: 48002,
        match: { path: OFFICIAL_SEND_PATH, open_id: openIdOf('official', userId) },
      },
    ]),
  },
  {
    daysAgo: 0,
    // Answers get lost on the way: asked again with the same key, WeChat delivers no message twice.
    faults: [FORM_ID_SEND_PATH, OFFICIAL_SEND_PATH].map((path) => ({
      kind: 'cut_after',
      rate: 0.05,
      match: { path },
    })),
  },
]

/** One day of all apps: the morning's visitors, the runs, and the evening, which today has not come yet. */
export async function playDay(
  played: Played[],
  day: number,
  { clock, runTime, wechat }: { clock: DemoClock; runTime: number; wechat: SandboxControl },
): Promise<void> {
  const daysAgo = SAMPLE_DAYS - day
  const at = runTime - daysAgo * DAY_MS
  clock.set(at - HOUR_MS)
  for (const { app, week } of played) {
    await playMorning(app, dayOf(app, day), week, wechat, clock.now())
    await sendMessages(app, wechat)
  }
  wechat.clearFaults()
  clock.set(at)
  for (const trouble of TROUBLE)
    if (trouble.daysAgo === daysAgo) for (const fault of trouble.faults) wechat.addFault(fault)
  for (const { app, week } of played) await playRun(app, week, wechat, clock)
  wechat.clearFaults()
  for (const { app } of played) {
    await tellWinners(app, wechat, dayOf(app, day), clock.now())
    await sendMessages(app, wechat)
  }
  if (daysAgo === 0) {
    for (const { app, week } of played) week.messages = await countMessages(app)
    return
  }
  clock.set(at + EVENING_HOURS * HOUR_MS)
  for (const { app, week } of played) {
    await playEvening(app, dayOf(app, day), week)
    await sendMessages(app, wechat)
  }
}

function dayOf({ days }: DemoApp, day: number): SampleDay {
  const sample = days[day]
  if (!sample) throw new Error(`The sample has no day ${day}`)
  return sample
}

async function playMorning(
  { account, backend, service }: DemoApp,
  { visitors, signIns }: SampleDay,
  week: Week,
  wechat: SandboxControl,
  now: number,
): Promise<void> {
  const { appId, channel } = account
  const templateIds = subscriptionTemplates(account)
  switch (channel) {
    case 'form_id':
      await uploadFormIds(backend, wechat, { appId, visitors, now }, week.uploads)
      break
    case 'subscribe':
      await reportTaps(backend, wechat, { appId, templateIds, visitors, now }, week.reports)
      break
    case 'official':
      await followAccount(backend, wechat, { appId, visitors }, week.follows)
  }
  await signIn(backend, signIns)
  week.signIns += signIns.length
  await pushEvents({ service }, wechat)
}

async function playRun(
  { account, service }: DemoApp,
  week: Week,
  wechat: SandboxControl,
  clock: DemoClock,
): Promise<void> {
  const { sending } = service.of()
  const { signal } = new AbortController()
  await forgetToken(sending.db, account.appId)
  const sweepAt = { appId: account.appId, slot: clock.now(), triggeredBy: 'cron' } as const
  const sweep = await expireStale({ ...sending, signal }, sweepAt, clock.now())
  week.expired += sweep?.expired ?? 0
  const date = businessDate(clock.now(), account.timezone)
  week.runs.push(await runReminders(sending, account, { date, triggeredBy: 'cron', signal }))
  await pushEvents({ service }, wechat)
  await summarize({ ...sending, signal }, account)
  const { permits } = await findStock(sending.db, account, clock.now())
  // Subscriptions do not run out, so each template has one row.
  week.reports.left = new Map(permits.map(({ template_id, permits: left }) => [template_id ?? '', left]))
}

/** Submitted messages whose time has come go out. */
async function sendMessages({ account, service }: DemoApp, wechat: SandboxControl): Promise<void> {
  const { sending, submitted } = service.of()
  await forgetToken(sending.db, account.appId)
  await submitted.workDue()
  await pushEvents({ service }, wechat)
}

async function countMessages({ account, service }: DemoApp): Promise<Week['messages']> {
  const counts = await countStates(service.of().sending.db, account.appId, ENDS)
  return counts.filter(({ messages }) => messages > 0)
}

/** WeChat pushes what has happened, and the service takes it up before the clock moves on. */
async function pushEvents({ service }: Pick<DemoApp, 'service'>, wechat: SandboxControl): Promise<void> {
  await wechat.sendPushes()
  await service.of().workEvents()
}

/** Of those who were reminded more come back than of the others: that is what the reminder is for. */
async function playEvening(
  { account, service, backend }: DemoApp,
  day: SampleDay,
  week: Week,
): Promise<void> {
  const { sending } = service.of()
  const date = week.runs.at(-1)?.date ?? 0
  const reminded = new Set(await findReminded(sending.db, account.appId, date))
  const coming = [
    ...day.eveningIfReminded.filter(({ userId }) => reminded.has(userId)),
    ...day.eveningUnasked.filter(({ userId }) => !reminded.has(userId)),
  ]
  await signIn(backend, coming)
  week.signIns += coming.length
  await summarize({ ...sending, signal: new AbortController().signal }, account)
}
