import { toIsoDate } from '../lib/business-date.js'
import { assertClocksAgree } from '../operations/clock.js'
import { summarize } from '../summaries/summarize.js'
import { type AccountOptions, addAccountCommand, readAccountSettings } from './account.js'
import { type AddCommand, type Cli, EXIT } from './command.js'
import { withBase } from './databases.js'
import { print, startProgress } from './output.js'

export const addSummarize: AddCommand = (program, cli) => {
  addAccountCommand(program, 'summarize')
    .description('bring the kept summaries of dashboards up to date, now')
    .option('--json', 'one JSON object on stdout', false)
    .action((options: AccountOptions) => cli.end(options, () => summarizeNow(cli, options)))
}

async function summarizeNow(cli: Cli, options: AccountOptions): Promise<number> {
  const { config, account } = readAccountSettings(cli, 'nothing', options)
  return withBase(
    cli,
    'writes',
    async ({ db, log, now }) => {
      await assertClocksAgree(db, now)
      const progress = await startProgress(cli.streams, 'users read')
      const report = await summarize({ db, log, now, signal: cli.stop }, account, {
        onPage: (counters) => progress.update(counters),
      }).finally(() => progress.stop())
      const { granted = 0, days = [] } = report ?? {}
      const answer = { granted, days: days.map(toIsoDate) }
      print(cli.streams, options.json, answer, [
        days.length > 0
          ? `${granted} new permits counted; summaries of ${answer.days.join(', ')} are up to date.`
          : 'Not up to date: stopped, or another process is at it.',
      ])
      return days.length > 0 ? EXIT.ok : EXIT.notFinished
    },
    { config, account },
  )
}
