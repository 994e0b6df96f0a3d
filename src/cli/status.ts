import { businessDate } from '../lib/business-date.js'
import { findRunStatus, type RunError, type RunStatus } from '../reminders/status.js'
import { type AccountOptions, addAccountCommand, readAccountSettings } from './account.js'
import { type AddCommand, EXIT } from './command.js'
import { withBase } from './databases.js'
import { toDate } from './options.js'
import { print } from './output.js'

export const addStatus: AddCommand = (program, cli) => {
  addAccountCommand(program, 'status')
    .description('say how the run of a day went or is going, and what to do; send nothing')
    .option('--date <YYYY-MM-DD>', 'business date; default today', toDate)
    .option('--json', 'one JSON object on stdout', false)
    .action((options: AccountOptions & { date?: number }) =>
      cli.end(options, async () => {
        const { config, account } = readAccountSettings(cli, 'nothing', options)
        return withBase(
          cli,
          'reads',
          async ({ db, now }) => {
            const date = options.date ?? businessDate(now(), account.timezone)
            const status = await findRunStatus(db, account, date, now())
            print(cli.streams, options.json, status, describe(status))
            return EXIT.ok
          },
          { config, account },
        )
      }),
    )
}

function describe(status: RunStatus): string[] {
  return [
    `${status.date}: ${status.state}${status.triggered_by ? ` (${status.triggered_by})` : ''}`,
    ...both('', status.reason, status.reason_zh),
    ...both('What to do: ', status.remedy, status.remedy_zh, '怎么办：'),
    ...line('Next firing', status.next_firing_at),
    ...describeQuota(status.quota),
    ...(status.run_id === null ? [] : describeRun(status)),
  ]
}

function describeRun(status: RunStatus): string[] {
  const { delivered, failed, unknown, retrying, in_hand, cancelled, claimed, planned, due } = status
  return [
    `Started ${status.started_at}${status.finished_at ? `, ended ${status.finished_at}` : ''}`,
    `${delivered} delivered, ${failed} failed, ${unknown} unknown, ${retrying} to be retried, ${in_hand} in hand, ` +
      `${cancelled} given back; ${claimed} claimed in all.`,
    ...line('Due', due),
    ...line('Planned', planned),
    ...describeProgress(status),
    ...describeSkipped(status.skipped),
    ...Object.entries(status.delivery_status).map(([said, count]) => `WeChat reported: ${count} ${said}`),
    ...status.errors.flatMap(describeError),
  ]
}

function describeQuota(quota: RunStatus['quota']): string[] {
  if (quota === null) return []
  const { path, daily_limit, left, reserved, asked_at, note, note_zh } = quota
  return [
    `Quota of ${path}: ${left} of ${daily_limit} left, ${reserved} of them for today's reminders (told ${asked_at})`,
    ...both('    ', note, note_zh, '    '),
  ]
}

const ENDS = { done: 'end', quota: 'use up the quota', window_closed: 'be cut off by SEND_UNTIL' }

function describeProgress(status: RunStatus): string[] {
  const { progress, rate_per_second, expected_finish_at, expected_end } = status
  if (progress === null) return []
  const end = expected_finish_at
    ? `, expected to ${ENDS[expected_end ?? 'done']} at ${expected_finish_at}`
    : ''
  return [
    `${Math.round(progress * 100)} % of the users read, ${rate_per_second ?? 0} messages a second${end}`,
  ]
}

function describeSkipped({ as_of, ...causes }: RunStatus['skipped']): string[] {
  if (as_of === null) return []
  const parts = Object.entries(causes).flatMap(([cause, users]) =>
    users === null ? [] : [`${users} ${cause.replaceAll('_', ' ')}`],
  )
  return [`Passed over, as of ${as_of}: ${parts.join(', ')}.`]
}

function describeError(error: RunError): string[] {
  const code = error.errcode === null ? '' : `${error.errcode} `
  const samples = [
    ...error.sample_message_ids.map((id) => `message ${id}`),
    ...error.sample_rids.map((rid) => `rid ${rid}`),
  ]
  return [
    `${error.count} ${error.outcome}: ${code}${error.name}, ${error.first_seen_at} to ${error.last_seen_at}`,
    `    ${error.meaning} ${error.meaning_zh}`,
    `    ${error.what_to_do} ${error.what_to_do_zh}`,
    ...(error.finding === null ? [] : [`    [${error.finding}] ${error.fix} ${error.fix_zh}`]),
    ...(samples.length === 0 ? [] : [`    such as ${samples.join(', ')}`]),
  ]
}

function line(label: string, value: string | number | null): string[] {
  return value === null ? [] : [`${label}: ${value}`]
}

function both(label: string, en: string | null, zh: string | null, labelZh = ''): string[] {
  return [...(en === null ? [] : [label + en]), ...(zh === null ? [] : [labelZh + zh])]
}
