import { type AddCommand, EXIT } from './command.js'
import { toCount } from './options.js'
import { requested } from './signals.js'

export const addSandbox: AddCommand = (program, cli) => {
  program
    .command('sandbox')
    .description('run the simulated WeChat alone, for WX_API_BASE_URL')
    .option('--port <n>', 'port on 127.0.0.1', toCount, 3100)
    .action(({ port }: { port: number }) =>
      cli.end({ json: false }, async () => {
        const { WX_APP_ID: appId, WX_APP_SECRET: secret } = cli.env
        const { startSandbox } = await import('../sandbox/sandbox.js')
        const accounts = appId && secret ? { accounts: [{ appId, secret }] } : {}
        const sandbox = await startSandbox({ port, ...accounts })
        cli.streams.stdout.write(
          `Sandbox WeChat on ${sandbox.url} (simulated; control under ${sandbox.url}/sandbox/)\n`,
        )
        await requested(cli.stop)
        await sandbox.close()
        return EXIT.ok
      }),
    )
}
