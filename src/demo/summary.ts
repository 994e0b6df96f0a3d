import type { Channel } from '../channel.js'
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
    ...lost(played, books),
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
    `  ${CAME_IN[channel](week)}`,
    `  sign-ins  ${week.signIns}`,
    `  this week ${before(week.runs.slice(0, -1))}`,
    ...(today ? [`  today     ${ofToday(today)}`] : []),
    `  messages  ${submitted(week)}`,
  ]
}

/** What gave the right to send. */
const CAME_IN: Record<Channel, (week: Week) => string> = {
  form_id: (week) => `permits   ${uploaded(week)}; ${week.expired} ran out`,
  subscribe: (week) => `permits   ${reported(week)}; ${week.expired} ran out`,
  official: ({ follows }) => `followers ${follows.bound.size} bound, ${follows.left} left; no permits needed`,
}

/** How WeChat, asked again, keeps from delivering twice. A subscribe message has nothing of the kind. */
const ASKED_AGAIN: Record<Channel, string | undefined> = {
  form_id: 'asked again with the same form_id, WeChat said "used"',
  subscribe: undefined,
  official: 'asked again under the same client_msg_id, WeChat sent nothing more',
}

function lost(played: Played[], { answersLost }: Books): string[] {
  const ways = played.map(({ app }) => ASKED_AGAIN[app.account.channel]).filter((way) => way !== undefined)
  if (ways.length === 0) return []
  return [`${answersLost} of WeChat's answers were lost on purpose; ${ways.join('; ')}: delivered once`]
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

/** What became of the messages that the demo's backend submitted. */
function submitted({ messages: counts }: Week): string {
  return counts.map(({ state, messages }) => `${messages} ${WORDS[state] ?? state}`).join(', ')
}

const WORDS: Partial<Record<Week['messages'][number]['state'], string>> = {
  open: 'waiting',
  no_permit: 'without a permit',
}

export function whereToLook(
  apps: DemoApp[],
  { sandbox, webhook, apiKey, adminPassword }: DemoStage,
): string[] {
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
    `  told by webhook    curl ${webhook.url}`,
    `  WeChat's ledger    ${sandbox.url}/sandbox/ledger?limit=5`,
    ...(first ? TO_TRY[first.account.channel](first, { sandbox, apiKey }) : []),
  ]
}

/** Calls to copy, one for the service and one for WeChat. */
const TO_TRY: Record<Channel, (app: DemoApp, stage: Pick<DemoStage, 'sandbox' | 'apiKey'>) => string[]> = {
  form_id: ({ service }, { sandbox, apiKey }) => [
    `  upload a form_id   ${call('POST', `${service.url}/v1/form-ids`, apiKey)}`,
    `                       -d '{"open_id":"oDemo1","user_id":1,"form_id":"the formId is a mock one"}'`,
    ...logIn(service.url, sandbox.url),
  ],
  subscribe: ({ account, service }, { apiKey }) => [
    `  report a tap       ${call('POST', `${service.url}/v1/subscriptions`, apiKey)}`,
    `                       -d '{"open_id":"oSubs1","user_id":1,"template_id":"${account.templateId}","result":"accept"}'`,
  ],
  official: ({ account, service }, { sandbox, apiKey }) => [
    `  bind a follower    ${call('PUT', `${service.url}/v1/users`, apiKey)}`,
    `                       -d '{"open_id":"oFans1","user_id":9001}'`,
    `  let them follow    curl -X POST ${sandbox.url}/sandbox/followers -H 'Content-Type: application/json' \\`,
    `                       -d '{"app_id":"${account.appId}","open_ids":["oFans1"]}'`,
    `  will it be sent?   curl ${service.url}/v1/users/9001/explain -H 'Authorization: Bearer ${apiKey}'`,
  ],
}

function call(method: string, url: string, apiKey: string): string {
  return `curl -X ${method} ${url} -H 'Authorization: Bearer ${apiKey}' -H 'Content-Type: application/json' \\`
}

function logIn(url: string, sandboxUrl: string): string[] {
  return [
    `  a wx.login code    curl -X POST ${sandboxUrl}/sandbox/login-codes -H 'Content-Type: application/json' -d '{"open_id":"oDemo1"}'`,
    `  log in with it     curl -X POST ${url}/v1/sessions -H 'Content-Type: application/json' -d '{"code":"…"}'`,
  ]
}
