import { readSettings } from '../config/read.js'
import { logWarnings, reloadAccounts } from '../config/reload.js'
import type { Service } from '../service.js'
import { type AddCommand, type Cli, EXIT } from './command.js'
import { onHangUp, requested } from './signals.js'

export const addServe: AddCommand = (program, cli) => {
  program
    .command('serve')
    .description('run the HTTP server, and the schedule of each account')
    .option('--migrate', 'run pending migrations first', false)
    .action((options: { migrate: boolean }) =>
      cli.end({ json: false }, async () => {
        const settings = readSettings(cli.env, 'any message')
        const { config } = settings
        const { startService } = await import('../service.js')
        const service = await startService(config, settings, options)
        logWarnings(settings, service.log)
        // Without a file there is nothing to read again, and a terminal that is closed ends what runs in it.
        const ignore = config.accountsFile === undefined ? () => {} : onHangUp(() => reload(cli, service))
        service.startSchedule()
        await requested(cli.stop)
        ignore()
        await service.stop()
        return EXIT.ok
      }),
    )
}

function reload({ env }: Cli, service: Service): void {
  const settings = reloadAccounts(env, service.log)
  if (settings) void service.change(settings)
}
