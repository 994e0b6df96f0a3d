import { ServiceError } from '../errors.js'
import { sendTest } from '../reminders/send-test.js'
import type { SentTest } from '../reminders/send-test-answer.js'
import { type AccountOptions, addAccountCommand } from './account.js'
import { type AddCommand, EXIT } from './command.js'
import { withSending } from './databases.js'
import { drawCard } from './draw-card.js'
import { print } from './output.js'

export const addSendTest: AddCommand = (program, cli) => {
  addAccountCommand(program, 'send-test')
    .description('send today’s reminder to one person, now, with a permit of that person')
    .requiredOption('--to <OPEN_ID>', 'open_id of the person in this account')
    .option('--json', 'one JSON object on stdout', false)
    .action((options: AccountOptions & { to: string }) =>
      cli.end(options, () => {
        if (options.to.trim() === '') throw new ServiceError('invalid_request', 'Give an open_id with --to')
        return withSending(cli, 'reminders', options, async (sending, account) => {
          const sent = await sendTest(sending, account, options.to.trim(), cli.stop)
          print(cli.streams, options.json, sent, describe(sent))
          return sent.state === 'delivered' ? EXIT.ok : EXIT.notFinished
        })
      }),
    )
}

function describe(sent: SentTest): string[] {
  const { message_id, open_id, user_id, permit, replaced_by, state, errcode, name, errmsg, rid, msgid } = sent
  const taken = permit
    ? `permit ${permit.id} (${permit.source}, ${permit.mark})`
    : 'no permit, as on a service account'
  const answer = [errcode, name, errmsg, rid && `rid ${rid}`, msgid && `msgid ${msgid}`].filter(Boolean)
  return [
    `Message ${message_id} to ${open_id}, user ${user_id}, with ${taken}${replaced_by === null ? '' : `, then ${replaced_by}`}`,
    ...drawCard(sent.data, { canBeTapped: false }),
    `${state}${answer.length > 0 ? `: ${answer.join(', ')}` : ''}`,
    sent.meaning,
    sent.meaning_zh,
    sent.what_to_do,
    sent.what_to_do_zh,
  ]
}
