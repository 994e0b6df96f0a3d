import { secretsOf } from '../../src/account.js'
import { readConfig } from '../../src/config/read.js'
import { openBase, openSending } from '../../src/deps.js'
import { businessDate } from '../../src/lib/business-date.js'
import { runReminders } from '../../src/reminders/run.js'
import { config, finish, ready } from '../rig/process.js'
import { benchAccount } from './account.js'

/** The daily run of this service, with everything that it does: brake, pace, leases, log. */
const { databaseUrl, stubUrl, concurrency } = config<{
  databaseUrl: string
  stubUrl: string
  concurrency: number
}>()
const account = { ...benchAccount(), sendConcurrency: concurrency }
const settings = readConfig({
  DATABASE_URL: databaseUrl,
  WX_API_BASE_URL: stubUrl,
  LOG_LEVEL: 'warn',
})
const base = openBase(settings, secretsOf(account))
const sending = openSending(base, settings, account)
await sending.getToken()
await ready()
const startedAt = performance.now()
const report = await runReminders(sending, account, {
  date: businessDate(base.now(), account.timezone),
  triggeredBy: 'manual',
  signal: new AbortController().signal,
})
finish({ done: report.delivered, seconds: (performance.now() - startedAt) / 1000, state: report.state })
