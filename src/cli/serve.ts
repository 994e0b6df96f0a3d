import { readSettings } from '../config/read.js'
import { type AddCommand, EXIT } from './command.js'
import { requested } from './signals.js'

export const addServe: AddCommand = (program, cli) => {
  program
    .command('serve')
    .description('run the HTTP server and the schedule')
    .option('--migrate', 'run pending migrations first', false)
    .action((options: { migrate: boolean }) =>
      cli.end({ json: false }, async () => {
        const { config, accounts, keys } = readSettings(cli.env, 'any message')
        const { startService } = await import('../service.js')
        const service = await startService(config, accounts, { ...options, keys })
        service.startSchedule()
        await requested(cli.stop)
        await service.stop()
        return EXIT.ok
      }),
    )
}
