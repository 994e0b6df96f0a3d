import { businessDate, toIsoDate } from '../lib/business-date.js'
import { planRun } from '../reminders/plan.js'
import { assertToday, type RunReport, runReminders } from '../reminders/run.js'
import { type AccountOptions, addAccountCommand } from './account.js'
import { type AddCommand, type Cli, EXIT } from './command.js'
import { withSending } from './databases.js'
import { toCount, toDate } from './options.js'
import { print, startProgress } from './output.js'

interface Options extends AccountOptions {
  date?: number
  limit?: number
}

export const addRemind: AddCommand = (program, cli) => {
  addAccountCommand(program, 'remind')
    .description("start today's run now: remind everyone who is due and was not reminded today")
    .option('--date <YYYY-MM-DD>', 'today in the account’s zone; any other day is refused', toDate)
    .option('--limit <n>', 'remind at most this many users from now on, over all processes', toCount)
    .option('--json', 'one JSON object on stdout', false)
    .action((options: Options) => cli.end(options, () => remind(cli, options)))
}

function remind(cli: Cli, options: Options): Promise<number> {
  const { json, limit } = options
  return withSending(
    cli,
    'reminders',
    options,
    async (sending, account) => {
      const { db, now } = sending
      const date = options.date ?? businessDate(now(), account.timezone)
      const countDue = async () => (await planRun(db, account, date, now())).due
      const progress = await startProgress(cli.streams, 'remind', countDue)
      const report = await runReminders(sending, account, {
        date,
        triggeredBy: 'manual',
        signal: cli.stop,
        onProgress: ({ delivered, failed, unknown }) => progress.update(delivered + failed + unknown),
        ...(limit === undefined ? {} : { limit }),
      }).finally(() => progress.stop())
      const { runId, skippedSignedIn, reasonZh, ...rest } = report
      const answer = {
        run_id: runId,
        ...rest,
        date: toIsoDate(date),
        reason_zh: reasonZh,
        skipped_signed_in: skippedSignedIn,
      }
      print(cli.streams, json, answer, describe(report))
      return report.state === 'done' || report.state === 'limited' ? EXIT.ok : EXIT.notFinished
    },
    (account, now) => {
      if (options.date !== undefined) assertToday(account, options.date, now)
    },
  )
}

function describe(report: RunReport): string[] {
  const { runId, date, state, reason, reasonZh, skippedSignedIn } = report
  return [
    `Run ${runId} of ${toIsoDate(date)}: ${state}${reason ? ` – ${reason}` : ''}`,
    ...(reasonZh ? [reasonZh] : []),
    `${report.due} due: ${report.delivered} delivered, ${report.failed} failed, ${report.unknown} unknown, ` +
      `${report.retrying} to be retried. ${report.cancelled} given back. ${skippedSignedIn} had signed in.`,
  ]
}
