import { type AddCommand, EXIT } from './command.js'
import { toCount } from './options.js'
import { requested } from './signals.js'

interface Options {
  port: number
  accounts?: string
  anyLoginCode?: string | true
}

export const addSandbox: AddCommand = (program, cli) => {
  program
    .command('sandbox')
    .description('run the simulated WeChat alone, for WX_API_BASE_URL')
    .option('--port <n>', 'port on 127.0.0.1', toCount, 3100)
    .option('--accounts <file>', 'accounts with their templates and pages, from a JSON file')
    .option(
      '--any-login-code [open_id]',
      'take every code of wx.login: each as another person, or all as this one',
    )
    .action(({ port, accounts, anyLoginCode }: Options) =>
      cli.end({ json: false }, async () => {
        const { startSandbox } = await import('../sandbox/sandbox.js')
        const { sandboxAccounts } = await import('./sandbox-accounts.js')
        const known = sandboxAccounts(accounts, cli.env)
        const sandbox = await startSandbox({ port, anyLoginCode, ...(known && { accounts: known }) })
        cli.streams.stdout.write(
          `Sandbox WeChat on ${sandbox.url} (simulated; control under ${sandbox.url}/sandbox/)\n`,
        )
        await requested(cli.stop)
        await sandbox.close()
        return EXIT.ok
      }),
    )
}
