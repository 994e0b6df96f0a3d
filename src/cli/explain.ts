import { businessDate } from '../lib/business-date.js'
import type { UserId } from '../lib/user-id.js'
import { type Explanation, explainUser } from '../reminders/explain.js'
import { type AccountOptions, addAccountCommand, readAccountSettings } from './account.js'
import { type AddCommand, EXIT } from './command.js'
import { withBase } from './databases.js'
import { parseUserId, toDate } from './options.js'
import { print } from './output.js'

export const addExplain: AddCommand = (program, cli) => {
  addAccountCommand(program, 'explain')
    .description('say why a user was, was not, will or will not be reminded on a day; send nothing')
    .argument('<USER_ID>', "the owner's number for the user", parseUserId)
    .option('--date <YYYY-MM-DD>', 'business date; default today', toDate)
    .option('--json', 'one JSON object on stdout', false)
    .action((userId: UserId, options: AccountOptions & { date?: number }) =>
      cli.end(options, async () => {
        const { config, account } = readAccountSettings(cli, 'nothing', options)
        return withBase(
          cli,
          'reads',
          async ({ db, now }) => {
            const at = now()
            const date = options.date ?? businessDate(at, account.timezone)
            const explained = { ...account, retentionDays: config.retentionDays }
            const explanation = await explainUser(db, explained, userId, date, at)
            print(cli.streams, options.json, explanation, describe(explanation))
            return EXIT.ok
          },
          { config, account },
        )
      }),
    )
}

function describe({ user_id, date, outcome, sentence, sentence_zh, checks }: Explanation): string[] {
  return [
    `User ${user_id}, ${date}: ${outcome}`,
    sentence,
    sentence_zh,
    ...checks.map(({ name, ok, detail }) => `${ok ? 'ok    ' : 'not ok'} ${name}: ${detail}`),
  ]
}
