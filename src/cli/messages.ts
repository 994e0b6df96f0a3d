import { Option } from 'commander'
import type { UserId } from '../lib/user-id.js'
import { STATES, type State } from '../submitted/schemas.js'
import { listMessages } from '../submitted/status.js'
import type { SubmittedMessage } from '../submitted/status-schemas.js'
import { type AccountOptions, addAccountCommand, readAccountSettings } from './account.js'
import { type AddCommand, EXIT } from './command.js'
import { withBase } from './databases.js'
import { parseUserId, toCount } from './options.js'
import { print } from './output.js'

const DEFAULT_LIMIT = 30

interface Options extends AccountOptions {
  state?: State
  user?: UserId
  limit: number
  before?: number
}

export const addMessages: AddCommand = (program, cli) => {
  addAccountCommand(program, 'messages')
    .description('list messages that backends submitted, newest first, with what each state means')
    .addOption(new Option('--state <STATE>', 'only those in this state, such as dead').choices(STATES))
    .option('--user <USER_ID>', 'only those of one user', parseUserId)
    .option('--limit <N>', 'at most so many', toCount, DEFAULT_LIMIT)
    .option('--before <ID>', 'only those before this one: the `next` of the list before', toCount)
    .option('--json', 'one JSON object on stdout', false)
    .action((options: Options) =>
      cli.end(options, async () => {
        const { config, account } = readAccountSettings(cli, 'nothing', options)
        return withBase(
          cli,
          'reads',
          async ({ db }) => {
            const { state, user: userId, limit, before } = options
            const page = await listMessages(db, account.appId, { state, userId, limit, before })
            const more = page.next === null ? [] : [`More: --before ${page.next}`]
            print(cli.streams, options.json, page, [...page.items.flatMap(describe), ...more])
            return EXIT.ok
          },
          { config, account },
        )
      }),
    )
}

function describe({
  id,
  user_id,
  template_id,
  state,
  attempts,
  meaning,
  meaning_zh,
}: SubmittedMessage): string[] {
  return [
    `${id}: ${state}, user ${user_id}, template ${template_id}, ${attempts.length} attempts`,
    `  ${meaning}`,
    `  ${meaning_zh}`,
  ]
}
