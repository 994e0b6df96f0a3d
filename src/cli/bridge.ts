import { InvalidArgumentError } from 'commander'
import { type Bridge, findBridge } from '../summaries/bridge.js'
import { type AccountOptions, addAccountCommand, readAccountSettings } from './account.js'
import { type AddCommand, type Cli, EXIT } from './command.js'
import { withBase } from './databases.js'
import { print, startProgress } from './output.js'

interface Options extends AccountOptions {
  template?: string
}

export const addBridge: AddCommand = (program, cli) => {
  addAccountCommand(program, 'bridge')
    .description('count who can be reached on form_id, on subscribe, on both, on none; send nothing')
    .option('--template <ID>', 'the template of the reminder on subscribe', toTemplateId)
    .option('--json', 'one JSON object on stdout', false)
    .action((options: Options) => cli.end(options, () => bridge(cli, options)))
}

function toTemplateId(text: string): string {
  if (!/^[\x21-\x7e]{1,64}$/.test(text)) throw new InvalidArgumentError('This is not a template id.')
  return text
}

async function bridge(cli: Cli, options: Options): Promise<number> {
  const { template, json } = options
  const { config, account } = readAccountSettings(cli, 'nothing', options)
  return withBase(
    cli,
    'reads',
    async ({ db, now }) => {
      const progress = await startProgress(cli.streams, 'users read')
      const answer = await findBridge(
        db,
        account,
        { templateId: template, onPage: (counters) => progress.update(counters) },
        now(),
      ).finally(() => progress.stop())
      print(cli.streams, json, answer, describe(answer))
      return EXIT.ok
    },
    { config, account },
  )
}

function describe({ channel, template_id, users, run }: Bridge): string[] {
  return [
    `${users.total} users with a counter, on ${channel} now; on subscribe by template ${template_id}:`,
    `  form_id    ${users.form_id} reachable, ${users.form_id - users.both} of them only there`,
    `  subscribe  ${users.subscribe} reachable, ${users.subscribe - users.both} of them only there`,
    `  both       ${users.both}`,
    `  none       ${users.none}, ${users.stopped} of them have a permit and are stopped`,
    run === null
      ? 'No run starts on the next day.'
      : `Run of ${run.date}: ${run.form_id} on form_id, ${run.subscribe} on subscribe; a switch loses ${run.lost} and gains ${run.gained}.`,
  ]
}
