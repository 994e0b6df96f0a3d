import { Option } from 'commander'
import type { Channel } from '../channel.js'
import { readConfig } from '../config/read.js'
import { type AddCommand, EXIT } from './command.js'
import { requested } from './signals.js'

const CHANNELS: Channel[] = ['form_id', 'subscribe', 'official']
/** What an inherited installation has, and what comes after it. */
const DEFAULT: Channel[] = ['form_id', 'subscribe']

export const addDemo: AddCommand = (program, cli) => {
  program
    .command('demo')
    .description('do the whole job on sample users, with an embedded database and a simulated WeChat')
    .addOption(
      new Option(
        '--channel <channel>',
        'play one account on this channel (default: form_id and subscribe)',
      ).choices(CHANNELS),
    )
    .option('--once', 'end after the summary; exit 0 only if our books and WeChat’s ledger agree', false)
    .action(({ once, channel }: { once: boolean; channel?: Channel }) =>
      cli.end({ json: false }, async () => {
        const { runDemo } = await import('../demo/demo.js')
        const channels = channel === undefined ? DEFAULT : [channel]
        const demo = await runDemo({ port: readConfig(cli.env).port, once, channels })
        if (!once) await requested(cli.stop)
        await demo.stop()
        return demo.booksAgree ? EXIT.ok : EXIT.error
      }),
    )
}
