import type { Command } from 'commander'
import { readSettings } from '../config/read.js'
import { toIsoDate } from '../lib/business-date.js'
import { assertClocksAgree } from '../operations/clock.js'
import { closeGap } from '../operations/restored.js'
import { command, EXIT, env, type JsonOption, stop, withBase } from './command.js'
import { parseMoment } from './options.js'
import { print, startProgress } from './output.js'

export function addRestored(program: Command): void {
  program
    .command('restored')
    .description('after a dump was put back: lets nobody be reminded again for what was sent since')
    .requiredOption('--since <time>', 'when the dump was taken: YYYY-MM-DD HH:MM in TIMEZONE, or ISO 8601')
    .option('--dry-run', 'count, and change nothing', false)
    .option('--json', 'one JSON object on stdout', false)
    .action((options: JsonOption & { since: string; dryRun: boolean }) =>
      command(options, () => {
        const { config, account } = readSettings(env, 'nothing')
        const since = parseMoment(options.since, account.timezone)
        const { dryRun } = options
        return withBase(
          'writes',
          async ({ db, now }) => {
            await assertClocksAgree(db, now)
            const signal = stop.signal
            const onDue = async () => {
              const { days } = await closeGap(db, account, { since, dryRun: true, signal }, now())
              return days.reduce((sum, { users }) => sum + users, 0)
            }
            const progress = await startProgress('restored', onDue)
            const report = await closeGap(
              db,
              account,
              { since, dryRun, signal, onProgress: progress.update },
              now(),
            ).finally(() => progress.stop())
            const days = report.days.map(({ date, users }) => ({ date: toIsoDate(date), users }))
            const permits = days.reduce((sum, { users }) => sum + users, 0)
            print(
              options.json,
              { dry_run: dryRun, days, permits_in_doubt: permits, open_messages: report.open },
              [
                ...days.map(
                  ({ date, users }) =>
                    `${date}: ${users} users ${dryRun ? 'would count' : 'count'} as reminded.`,
                ),
                `${permits} permits are in doubt, and ${report.open} messages that were open in the dump.`,
              ],
            )
            return signal.aborted ? EXIT.notFinished : EXIT.ok
          },
          { config, account },
        )
      }),
    )
}
