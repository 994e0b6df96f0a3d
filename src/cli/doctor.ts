import { readSettings } from '../config/read.js'
import { openSending } from '../deps.js'
import { examineAccountsFile } from '../operations/accounts-file-check.js'
import { examine } from '../operations/doctor.js'
import type { Finding } from '../operations/finding.js'
import { pendingMigrations } from '../schema.js'
import { type AddCommand, type Cli, EXIT, type JsonOption } from './command.js'
import { assertFileExists, withDatabase } from './databases.js'
import { print } from './output.js'

export const addDoctor: AddCommand = (program, cli) => {
  program
    .command('doctor')
    .description('check everything that a run needs, and say what to do')
    .option('--json', 'one JSON object on stdout', false)
    .action((options: JsonOption) => cli.end(options, () => examineAll(cli, options)))
}

async function examineAll(cli: Cli, { json }: JsonOption): Promise<number> {
  const settings = readSettings(cli.env, 'nothing')
  assertFileExists(settings.config.databaseUrl)
  return withDatabase(
    cli,
    async (base) => {
      const { config, account } = settings
      const sending = openSending(base, config, account)
      const { db, now: systemNow } = base
      const { getToken } = sending
      const { redisUrl: url } = config
      const redis = url === undefined ? {} : { redis: { url, sendRate: account.sendRate } }
      const { findCallbackTarget } = await import('../operations/callback-target.js')
      const callback = await findCallbackTarget(base, config, account)
      const deps = { db, pendingMigrations, account, systemNow, getToken, callback, ...redis }
      const ofFile = config.accountsFile === undefined ? [] : examineAccountsFile(settings, systemNow())
      const checks = [...ofFile, ...(await examine(deps).finally(sending.close))]
      const ok = checks.every(({ status }) => status !== 'fail')
      print(cli.streams, json, { ok, checks }, checks.map(toLine))
      return ok ? EXIT.ok : EXIT.found
    },
    settings,
  )
}

function toLine({ status, name, reason, fix }: Finding): string {
  return `${status.padEnd(4)} ${name}: ${reason}${fix ? `. ${fix}` : ''}`
}
