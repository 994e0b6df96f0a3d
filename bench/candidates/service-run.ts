import { businessDate } from '../../src/lib/business-date.js'
import { runReminders } from '../../src/reminders/run.js'
import { finish, ready } from '../rig/candidate.js'
import { openBenchSending } from './sending.js'

/** The daily run of this service, with everything that it does: brake, pace, leases, log. */
const { account, sending } = await openBenchSending()
await ready()
const startedAt = performance.now()
const report = await runReminders(sending, account, {
  date: businessDate(sending.now(), account.timezone),
  triggeredBy: 'manual',
  signal: new AbortController().signal,
})
finish({ done: report.delivered, seconds: (performance.now() - startedAt) / 1000, state: report.state })
