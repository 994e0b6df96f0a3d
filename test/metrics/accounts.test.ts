import { expect, test } from 'vitest'
import { readAccount } from '../../src/config/read.js'
import { emptyTally } from '../../src/messages/tally.js'
import { createMetrics } from '../../src/metrics/metrics.js'
import { NOW } from '../helpers/constants.js'
import { dialects, useDatabase } from '../helpers/database.js'
import { readScrape } from '../helpers/scrape.js'
import { SERVICE_ENV } from '../helpers/service.js'

const TOKENS = { refreshed: 2, failed: 1, earlyDeaths: { count: 0, firstAt: undefined } }
const [A, B] = ['wxAlpha', 'wxBeta'].map((WX_APP_ID) => readAccount({ ...SERVICE_ENV, WX_APP_ID })) as [
  ReturnType<typeof readAccount>,
  ReturnType<typeof readAccount>,
]
const { db } = useDatabase(dialects[0] ?? 'sqlite')

test('what accounts do is counted apart, and an account that is gone leaves no series', async () => {
  const metrics = createMetrics({ version: '1' })
  for (const [i, account] of [A, B].entries()) {
    const told = metrics.of(account)
    const counters = () => ({ wrong: i, passes: 1 })
    told.watch({ db, now: () => NOW, tokens: () => TOKENS, counters })
    told.sending.claimed(i + 1, 0.1)
    told.sending.answered({ channel: 'form_id', attempts: 0 }, { kind: 'accepted' } as never)
    told.sending.settled({ ...emptyTally(), delivered: i + 1 })
    told.uploads.onCommit({ requests: 1, permits: 3, seconds: 0.01 })
    told.onWechatRequest('/cgi-bin/stable_token', 'answered', 0.2)
    told.events.onStored(1)
    told.events.onWorked('subscribe', 'ignored')
  }
  // Twice: what is counted elsewhere is shown as it is, and not added up.
  await metrics.text()
  const both = readScrape(await metrics.text())
  for (const [i, { appId: app_id }] of [A, B].entries()) {
    expect(both.value('reminder_claimed_users_total', { app_id })).toBe(i + 1)
    expect(both.value('reminder_messages_settled_total', { app_id, state: 'delivered' })).toBe(i + 1)
    expect(both.value('reminder_sends_total', { app_id, class: 'ok' })).toBe(1)
    expect(both.value('reminder_token_refreshes_total', { app_id, result: 'refreshed' })).toBe(2)
    expect(both.value('reminder_books_drift_users', { app_id })).toBe(i)
    expect(both.value('reminder_wechat_request_duration_seconds_count', { app_id })).toBe(1)
  }
  await metrics.forget(A.appId)
  const one = await metrics.text()
  expect(one).not.toContain(A.appId)
  expect(readScrape(one).value('reminder_claimed_users_total', { app_id: B.appId })).toBe(2)
})
