import { describeOpen, openToJson } from '../messages/open-messages.js'
import { countOpen } from '../messages/open-store.js'
import { recover } from '../messages/recovery.js'
import { addTallies } from '../messages/tally.js'
import { sendSubmitted } from '../submitted/worker.js'
import { type AccountOptions, addAccountCommand } from './account.js'
import { type AddCommand, EXIT } from './command.js'
import { withSending } from './databases.js'
import { print } from './output.js'

export const addRecover: AddCommand = (program, cli) => {
  addAccountCommand(program, 'recover')
    .description('send or settle what a crash left, and the retries that are due')
    .option('--json', 'one JSON object on stdout', false)
    .action((options: AccountOptions) =>
      cli.end(options, async () =>
        withSending(cli, 'any message', options, async (sending, account) => {
          const reminders = await recover(sending, account, { signal: cli.stop })
          const tally = addTallies(reminders, await sendSubmitted(sending, account, cli.stop))
          const { delivered, failed, unknown, cancelled, retry } = tally
          const open = await countOpen(sending.db, account.appId, sending.now())
          const left = describeOpen(open)
          const answer = { delivered, failed, unknown, cancelled, retrying: retry, ...openToJson(open) }
          print(cli.streams, options.json, answer, [
            `${delivered} delivered, ${failed} failed, ${unknown} unknown, ${cancelled} given back, ${retry} to be retried.`,
            left === undefined ? 'Nothing is open.' : `Left: ${left.en}.`,
          ])
          return EXIT.ok
        }),
      ),
    )
}
