import { readSettings } from '../config/read.js'
import { type AddCommand, EXIT } from './command.js'
import { onHangUp, requested } from './signals.js'

export const addServe: AddCommand = (program, cli) => {
  program
    .command('serve')
    .description('run the HTTP server, and the schedule of each account')
    .option('--migrate', 'run pending migrations first', false)
    .action((options: { migrate: boolean }) =>
      cli.end({ json: false }, async () => {
        const read = () => readSettings(cli.env, 'any message')
        const settings = read()
        const { startService } = await import('../service.js')
        const service = await startService(settings.config, settings, options)
        // Without a file there is nothing to read again, and a terminal that is closed ends what runs in it.
        const ignore = cli.env.ACCOUNTS_FILE ? onHangUp(() => void service.reload(read)) : () => {}
        service.startSchedule()
        await requested(cli.stop)
        ignore()
        await service.stop()
        return EXIT.ok
      }),
    )
}
