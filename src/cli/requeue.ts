import { ServiceError } from '../errors.js'
import { HOUR_MS } from '../lib/durations.js'
import { type Requeued, requeueMany, stayingOf, type Which } from '../submitted/requeue-many.js'
import { type AccountOptions, addAccountCommand, readAccountSettings } from './account.js'
import { type AddCommand, EXIT } from './command.js'
import { withBase } from './databases.js'
import { toCount } from './options.js'
import { print } from './output.js'

interface Options extends AccountOptions {
  all?: boolean
  errcode?: number
  hours?: number
}

export const addRequeue: AddCommand = (program, cli) => {
  addAccountCommand(program, 'requeue')
    .description('queue dead letters again, each with a permit of its user; serve then sends them')
    .argument('[ID...]', 'ids of messages', collectIds, [])
    .option('--all', 'all dead letters of the account')
    .option('--errcode <CODE>', "with --all: only those whose last answer was WeChat's code", toCount)
    .option('--hours <N>', 'may be sent for so many hours from now; default: until not_after', toCount)
    .option('--json', 'one JSON object on stdout', false)
    .action((ids: number[], options: Options) =>
      cli.end(options, async () => {
        const which = whichOf(ids, options)
        const { config, account } = readAccountSettings(cli, 'nothing', options)
        return withBase(
          cli,
          'writes',
          async ({ db, now }) => {
            const notAfter = options.hours === undefined ? undefined : now() + options.hours * HOUR_MS
            const requeued = await requeueMany(db, account, which, { notAfter, signal: cli.stop, now })
            print(cli.streams, options.json, requeued, describe(requeued))
            return cli.stop.aborted ? EXIT.notFinished : EXIT.ok
          },
          { config, account },
        )
      }),
    )
}

function collectIds(text: string, ids: number[]): number[] {
  return [...ids, toCount(text)]
}

function whichOf(ids: number[], { all, errcode }: Options): Which {
  if (all === true && ids.length === 0) return { all, errcode }
  if (all !== true && ids.length > 0 && errcode === undefined) return { ids }
  throw new ServiceError('invalid_request', 'Name the messages, or give --all, with or without --errcode')
}

function describe(requeued: Requeued): string[] {
  const { queued, refused, counts } = requeued
  const { messages: staying, why } = stayingOf(requeued)
  const andMore = (named: number, all: number): string => (all > named ? ` and ${all - named} more` : '')
  return [
    `${counts.queued} queued again${queued.length > 0 ? `: ${queued.join(', ')}` : ''}${andMore(queued.length, counts.queued)}`,
    ...refused.map(({ id, message }) => `${id} stays as it is: ${message}`),
    ...(staying > refused.length ? [`and ${staying - refused.length} more; in all: ${why}`] : []),
  ]
}
