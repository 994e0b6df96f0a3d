import type { RunReport } from '../reminders/run.js'
import type { DemoApp, DemoStage } from './app.js'
import type { Books } from './books.js'
import type { Played, Week } from './week.js'

/** What the demo prints. */

export function opening(apps: DemoApp[]): string {
  const described = apps.map(
    ({ account, users, service }) => `${users} users on ${account.channel} at ${service.url}`,
  )
  return `A week of ${described.join(', ')} …`
}

export function summary(played: Played[], books: Books): string[] {
  return [
    ...played.flatMap(ofApp),
    '',
    `${books.answersLost} of WeChat's answers were lost on purpose; asked again with the same form_id, WeChat said "used": delivered once`,
    `our books ${books.ours} delivered, audit ${books.auditOk ? 'clean' : 'NOT CLEAN'}`,
    `WeChat's  ${books.theirs} delivered, ${books.repeated} users reminded twice on a day (simulated WeChat)`,
    books.agree ? 'The books agree.' : `The books DO NOT agree: ${books.differences} messages differ.`,
  ]
}

function ofApp({ app, week }: Played): string[] {
  const { channel } = app.account
  const [today] = week.runs.slice(-1)
  return [
    '',
    channel,
    `  permits   ${channel === 'form_id' ? uploaded(week) : reported(week)}; ${week.expired} ran out`,
    `  sign-ins  ${week.signIns}`,
    `  this week ${before(week.runs.slice(0, -1))}`,
    ...(today ? [`  today     ${ofToday(today)}`] : []),
  ]
}

function uploaded({ uploads }: Week): string {
  const reasons = [...uploads.reasons].map(([reason, count]) => `${reason} ${count}`).join(', ')
  return `${uploads.sent} form_ids: ${uploads.accepted} accepted, ${uploads.duplicates} duplicates, ${uploads.rejected} refused (${reasons})`
}

function reported({ reports }: Week): string {
  const ofTemplates = [...reports.answers].map(
    ([id, { accepted, refused }], n) =>
      `${n === 0 ? "the reminder's template" : 'another one'} ${accepted} accepted, ${refused} refused, ${reports.left.get(id) ?? 0} left`,
  )
  return `${reports.taps} taps: ${ofTemplates.join('; ')}`
}

function before(runs: RunReport[]): string {
  const delivered = runs.reduce((sum, run) => sum + run.delivered, 0)
  const failed = runs.reduce((sum, run) => sum + run.failed, 0)
  const halts = runs.flatMap(({ state, reason }, i) =>
    state === 'halted'
      ? [`; ${runs.length - i} days ago halted, all given back: ${reason?.replace(/\.$/, '')}`]
      : [],
  )
  return `${delivered} delivered, ${failed} refused${halts.join('')}`
}

function ofToday({ due, delivered, failed, unknown, skippedSignedIn }: RunReport): string {
  return `${due} due: ${delivered} delivered, ${failed} failed, ${unknown} unknown; ${skippedSignedIn} had signed in`
}

export function whereToLook(apps: DemoApp[], { sandbox, apiKey, adminPassword }: DemoStage): string[] {
  const [first] = apps
  const url = first?.service.url
  return [
    '',
    'The services stay up, their clock at 10:00 today. Ctrl-C ends them, and removes their tables.',
    ...apps.map(
      ({ account, service }) => `  dashboard          ${service.url}/dashboard  (${account.channel})`,
    ),
    `  its password       ${adminPassword}`,
    `  HTTP, try it out   ${url}/docs`,
    `  API key            ${apiKey}`,
    `  tables             sqlite3 ${first?.databaseFile} 'select state, count(*) from wx_push_message group by state'`,
    `  WeChat's ledger    ${sandbox.url}/sandbox/ledger?limit=5`,
    `  upload a form_id   curl -X POST ${url}/v1/form-ids -H 'Authorization: Bearer ${apiKey}' \\`,
    `                       -H 'Content-Type: application/json' -d '{"open_id":"oDemo1","user_id":1,"form_id":"the formId is a mock one"}'`,
    `  a wx.login code    curl -X POST ${sandbox.url}/sandbox/login-codes -H 'Content-Type: application/json' -d '{"open_id":"oDemo1"}'`,
    `  log in with it     curl -X POST ${url}/v1/sessions -H 'Content-Type: application/json' -d '{"code":"…"}'`,
  ]
}
