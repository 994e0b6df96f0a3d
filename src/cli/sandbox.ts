import type { AccountOptions } from '../sandbox/accounts.js'
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
        const sandbox = await startSandbox({
          port,
          anyLoginCode,
          ...(await accountsOf(accounts, cli.env)),
        })
        cli.streams.stdout.write(
          `Sandbox WeChat on ${sandbox.url} (simulated; control under ${sandbox.url}/sandbox/)\n`,
        )
        await requested(cli.stop)
        await sandbox.close()
        return EXIT.ok
      }),
    )
}

/** Those of the file; else the one of the environment; else the sandbox's own. */
async function accountsOf(
  file: string | undefined,
  { WX_APP_ID: appId, WX_APP_SECRET: secret }: NodeJS.ProcessEnv,
): Promise<{ accounts?: AccountOptions[] }> {
  const { readAccountsFile } = await import('../sandbox/accounts-file.js')
  if (file !== undefined) return { accounts: readAccountsFile(file) }
  return appId && secret ? { accounts: [{ appId, secret }] } : {}
}
