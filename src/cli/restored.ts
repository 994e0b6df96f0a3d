import { toIsoDate } from '../lib/business-date.js'
import { assertClocksAgree } from '../operations/clock.js'
import { closeGap } from '../operations/restored.js'
import { type AccountOptions, addAccountCommand, readAccountSettings } from './account.js'
import { type AddCommand, type Cli, EXIT } from './command.js'
import { withBase } from './databases.js'
import { parseMoment } from './options.js'
import { print, startProgress } from './output.js'

interface Options extends AccountOptions {
  since: string
  dryRun: boolean
}

export const addRestored: AddCommand = (program, cli) => {
  addAccountCommand(program, 'restored')
    .description('after a dump was restored: make sure that nobody is reminded again of what was sent since')
    .requiredOption('--since <time>', 'when the dump was taken: YYYY-MM-DD HH:MM in TIMEZONE, or ISO 8601')
    .option('--dry-run', 'only count, change nothing', false)
    .option('--json', 'one JSON object on stdout', false)
    .action((options: Options) => cli.end(options, () => restored(cli, options)))
}

async function restored(cli: Cli, options: Options): Promise<number> {
  const { since: time, dryRun, json } = options
  const { config, account } = readAccountSettings(cli, 'nothing', options)
  const since = parseMoment(time, account.timezone)
  const { stop: signal } = cli
  return withBase(
    cli,
    'writes',
    async ({ db, now }) => {
      await assertClocksAgree(db, now)
      const countUsers = async () => {
        const { days } = await closeGap(db, account, { since, dryRun: true, signal }, now())
        return days.reduce((sum, { users }) => sum + users, 0)
      }
      const progress = await startProgress(cli.streams, 'restored', countUsers)
      const work = { since, dryRun, signal, onProgress: progress.update }
      const report = await closeGap(db, account, work, now()).finally(() => progress.stop())
      const days = report.days.map(({ date, users }) => ({ date: toIsoDate(date), users }))
      const permits = days.reduce((sum, { users }) => sum + users, 0)
      const answer = { dry_run: dryRun, days, permits_in_doubt: permits, open_messages: report.open }
      print(cli.streams, json, answer, [
        ...days.map(
          ({ date, users }) => `${date}: ${users} users ${dryRun ? 'would count' : 'count'} as reminded.`,
        ),
        `${permits} permits are in doubt, and so are ${report.open} messages that were open in the dump.`,
      ])
      return signal.aborted ? EXIT.notFinished : EXIT.ok
    },
    { config, account },
  )
}
