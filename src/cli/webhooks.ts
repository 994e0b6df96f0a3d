import { Option } from 'commander'
import { listDeliveries, redeliver } from '../webhooks/log.js'
import { DELIVERY_STATES, type Delivery, type DeliveryState } from '../webhooks/log-schemas.js'
import { type AccountOptions, addAccountCommand, readAccountSettings } from './account.js'
import { type AddCommand, type Cli, EXIT } from './command.js'
import { withBase } from './databases.js'
import { toCount } from './options.js'
import { print } from './output.js'

interface Options extends AccountOptions {
  state?: DeliveryState
  message?: number
  redeliver?: number
}

/** As many as a screen shows. */
const SHOWN = 30

export const addWebhooks: AddCommand = (program, cli) => {
  addAccountCommand(program, 'webhooks')
    .description('list what the webhook was told of submitted messages, or tell it one again')
    .addOption(new Option('--state <STATE>', 'only those that stand so').choices([...DELIVERY_STATES]))
    .option('--message <ID>', 'only those of a message', toCount)
    .option('--redeliver <ID>', 'tell this one again; serve sends it', toCount)
    .option('--json', 'one JSON object on stdout', false)
    .action((options: Options) => cli.end(options, () => webhooks(cli, options)))
}

async function webhooks(cli: Cli, options: Options): Promise<number> {
  const { state, message: messageId, redeliver: id, json } = options
  const settings = readAccountSettings(cli, 'nothing', options)
  const { appId } = settings.account
  return withBase(
    cli,
    id === undefined ? 'reads' : 'writes',
    async ({ db, now }) => {
      if (id !== undefined) {
        const delivery = await redeliver(db, appId, id, now())
        print(cli.streams, json, delivery, [lineOf(delivery)])
      } else {
        const page = await listDeliveries(db, appId, { state, messageId, limit: SHOWN })
        print(cli.streams, json, page, describe(page.items))
      }
      return EXIT.ok
    },
    settings,
  )
}

function describe(items: Delivery[]): string[] {
  return items.length === 0 ? ['The webhook has been told nothing of the kind.'] : items.map(lineOf)
}

function lineOf(one: Delivery): string {
  const { id, message_id, type, state, attempts, http_status, error, next_attempt_at } = one
  const answer = error ?? (http_status === null ? '' : `HTTP ${http_status}`)
  const next = next_attempt_at === null ? '' : `next ${next_attempt_at}`
  return [`${id}`, `message ${message_id}`, type, state, `${attempts} attempts`, answer, next]
    .filter(Boolean)
    .join('  ')
}
