import type { Account } from '../account.js'
import { businessDate, toIsoDate } from '../lib/business-date.js'
import { firingsOn, parseCron } from '../lib/cron.js'
import { type Plan, planRun } from '../reminders/plan.js'
import { type AccountOptions, addAccountCommand, readAccountSettings } from './account.js'
import { type AddCommand, EXIT } from './command.js'
import { withBase } from './databases.js'
import { toDate } from './options.js'
import { print } from './output.js'

export const addPlan: AddCommand = (program, cli) => {
  addAccountCommand(program, 'plan')
    .description('say what remind would do and whom it would pass over; send nothing')
    .option('--date <YYYY-MM-DD>', 'business date; default today', toDate)
    .option('--json', 'one JSON object on stdout', false)
    .action((options: AccountOptions & { date?: number }) =>
      cli.end(options, async () => {
        const { config, account } = readAccountSettings(cli, 'nothing', options)
        return withBase(
          cli,
          'reads',
          async ({ db, now }) => {
            const today = businessDate(now(), account.timezone)
            const date = options.date ?? today
            const [firing = now()] =
              date > today ? firingsOn(parseCron(account.remindCron), date, account.timezone) : []
            const plan = await planRun(db, account, date, firing)
            print(cli.streams, options.json, { ...plan, date: toIsoDate(date) }, describe(plan, account))
            return EXIT.ok
          },
          { config, account },
        )
      }),
    )
}

function describe({ date, due, skipped, given_back, sample }: Plan, { channel }: Account): string[] {
  const lacking =
    channel === 'official'
      ? ''
      : `${skipped.no_valid_permit} without a valid permit, ${skipped.no_permit} without any, `
  return [
    `${toIsoDate(date)}: ${due} due.`,
    `Not due: ${skipped.signed_in} signed in, ${skipped.reminded_today} reminded today, ${lacking}` +
      `${skipped.stopped} opted out or blocked.`,
    `Of that day's reminders: ${skipped.failed_today} failed, ${skipped.unknown_today} unknown, ` +
      `${skipped.in_hand} in hand, ${given_back} given back.`,
    ...sample.map(({ user_id, data }) => `  user ${user_id}: ${JSON.stringify(data)}`),
  ]
}
