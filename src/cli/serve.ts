import { readSettings, type Settings } from '../config/read.js'
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
        // Without a file there is nothing to read again, and a terminal that is closed ends what runs in it.
        const hangUps = settings.config.accountsFile === undefined ? undefined : listenForHangUps(cli)
        return serve(cli, settings, options, hangUps).finally(() => hangUps?.end())
      }),
    )
}

async function serve(
  cli: Cli,
  settings: Settings,
  options: { migrate: boolean },
  hangUps: HangUps | undefined,
): Promise<number> {
  const { startService } = await import('../service.js')
  const service = await startService(settings.config, settings, options)
  logWarnings(settings, service.log)
  hangUps?.serveBy(service)
  service.startSchedule()
  await requested(cli.stop)
  hangUps?.serveBy(undefined)
  await service.stop()
  return EXIT.ok
}

interface HangUps {
  /** Who takes up a changed file; undefined = nobody any more. */
  serveBy(service: Service | undefined): void
  end(): void
}

/**
 * No SIGHUP ends the program in the middle of migrations, or of giving back what it had in hand. One that comes during
 * the start is done after it, one that comes during the stop is passed over.
 */
function listenForHangUps(cli: Cli): HangUps {
  let service: Service | undefined
  let hasCome = false
  const end = onHangUp(() => {
    if (service) reload(cli, service)
    else hasCome = true
  })
  return {
    serveBy(one) {
      service = one
      if (one && hasCome) reload(cli, one)
    },
    end,
  }
}

function reload({ env }: Cli, service: Service): void {
  const settings = reloadAccounts(env, service.log)
  if (settings) void service.change(settings)
}
