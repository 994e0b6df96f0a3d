import { readConfig } from '../../src/config/read.js'
import { businessDate } from '../../src/lib/business-date.js'
import { runReminders } from '../../src/reminders/run.js'
import { startService } from '../../src/service.js'
import { config, finish, ready } from '../rig/candidate.js'
import { benchAccount } from './account.js'

/** The daily run of an account in the whole service, alone or beside the run of another whose WeChat hangs. */
const { databaseUrl, stubUrl, concurrency, beside } = config<{
  databaseUrl: string
  stubUrl: string
  concurrency: number
  beside?: string
}>()
const account = { ...benchAccount(), sendConcurrency: concurrency }
const accounts = beside === undefined ? [account] : [account, { ...account, appId: beside }]
const settings = readConfig({
  DATABASE_URL: databaseUrl,
  WX_API_BASE_URL: stubUrl,
  PORT: '0',
  LOG_LEVEL: 'warn',
})
const service = await startService(settings, { accounts }, { migrate: true })
const run = (appId: string) =>
  runReminders(service.of(appId).sending, account.appId === appId ? account : { ...account, appId }, {
    date: businessDate(Date.now(), account.timezone),
    triggeredBy: 'manual',
    signal: new AbortController().signal,
  })
await service.of(account.appId).sending.getToken()
if (beside !== undefined) {
  await service.of(beside).sending.getToken()
  run(beside).catch(() => {})
}
await ready()
const startedAt = performance.now()
const report = await run(account.appId)
finish({ done: report.delivered, seconds: (performance.now() - startedAt) / 1000, state: report.state })
