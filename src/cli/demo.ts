import { readConfig } from '../config/read.js'
import { type AddCommand, EXIT } from './command.js'
import { requested } from './signals.js'

export const addDemo: AddCommand = (program, cli) => {
  program
    .command('demo')
    .description('do the whole job on sample users, with an embedded database and a simulated WeChat')
    .option('--once', 'end after the summary; exit 0 only if our books and WeChat’s ledger agree', false)
    .action(({ once }: { once: boolean }) =>
      cli.end({ json: false }, async () => {
        const { runDemo } = await import('../demo/demo.js')
        const demo = await runDemo({ port: readConfig(cli.env).port, once })
        if (!once) await requested(cli.stop)
        await demo.stop()
        return demo.booksAgree ? EXIT.ok : EXIT.error
      }),
    )
}
