import { isDeepStrictEqual } from 'node:util'
import { type Account, secretsOf } from '../account.js'
import { type Config, readSettings } from '../config/read.js'
import { openSending, type ServiceBase } from '../deps.js'
import type { Finding } from '../findings/finding.js'
import { examineAccountsFile } from '../operations/accounts-file-check.js'
import { examine } from '../operations/doctor.js'
import { pendingMigrations } from '../schema.js'
import { type AccountOptions, addAccountCommand, findAccount } from './account.js'
import { type AddCommand, type Cli, EXIT } from './command.js'
import { assertFileExists, withDatabase } from './databases.js'
import { print } from './output.js'

export const addDoctor: AddCommand = (program, cli) => {
  addAccountCommand(program, 'doctor', 'the account that is examined; all if left out')
    .description('check everything that a run needs, and say what to do')
    .option('--json', 'one JSON object on stdout', false)
    .action((options: AccountOptions) => cli.end(options, () => examineAll(cli, options)))
}

/** Of all accounts, unless one is named. */
async function examineAll(cli: Cli, { appId, json }: AccountOptions): Promise<number> {
  const settings = readSettings(cli.env, 'nothing', appId)
  const { config, accounts } = settings
  const named = appId === undefined ? accounts : [findAccount(accounts, appId)]
  assertFileExists(config.databaseUrl)
  return withDatabase(
    cli,
    async (base) => {
      const examined: Examined[] = []
      for (const account of named)
        examined.push({ appId: account.appId, findings: await examineAccount(base, config, account) })
      const ofFile = config.accountsFile === undefined ? [] : examineAccountsFile(settings, base.now())
      const checks = [...ofFile, ...mergeFindings(examined)]
      const ok = checks.every(({ status }) => status !== 'fail')
      print(cli.streams, json, { ok, checks }, checks.flatMap(toLines))
      return ok ? EXIT.ok : EXIT.found
    },
    { config },
  )
}

async function examineAccount(base: ServiceBase, config: Config, account: Account): Promise<Finding[]> {
  base.hideSecrets(secretsOf(account))
  const sending = openSending(base, config, account)
  const { db, now: systemNow } = base
  const { getToken, checkSecret, auxiliary } = sending
  const { redisUrl: url } = config
  const redis = url === undefined ? {} : { redis: { url, sendRate: account.sendRate } }
  const { findCallbackTarget } = await import('../operations/callback-target.js')
  const callback = await findCallbackTarget(base, config, account)
  const deps = {
    db,
    pendingMigrations,
    account,
    systemNow,
    getToken,
    checkSecret,
    auxiliary,
    callback,
    ...redis,
  }
  return examine(deps).finally(sending.close)
}

interface Examined {
  appId: string
  findings: Finding[]
}

type AccountFinding = Finding & { app_id?: string }

/** What is found alike for every account, as of the database, is said once. */
function mergeFindings(examined: Examined[]): AccountFinding[] {
  const [first, ...others] = examined
  if (!first || others.length === 0) return first?.findings ?? []
  const isShared = (finding: Finding): boolean =>
    others.every(({ findings }) => findings.some((other) => isDeepStrictEqual(other, finding)))
  const shared = first.findings.filter(isShared)
  return [
    ...shared,
    ...examined.flatMap(({ appId, findings }) =>
      findings
        .filter((finding) => !shared.some((one) => isDeepStrictEqual(one, finding)))
        .map((finding) => ({ app_id: appId, ...finding })),
    ),
  ]
}

/** In English, and below it in Chinese where there is something to do. */
function toLines(checked: AccountFinding): string[] {
  const { app_id, status, name, finding, reason, reason_zh, fix, fix_zh } = checked
  const about = app_id === undefined ? '' : `${app_id}: `
  const known = finding ? ` [${finding}]` : ''
  return [
    `${status.padEnd(4)} ${about}${name}: ${fix ? `${ended(reason, '.')} ${fix}` : reason}${known}`,
    ...(fix ? [`     ${ended(reason_zh, '。')}${fix_zh}`] : []),
  ]
}

/** Some reasons are a sentence, others a few words. */
const ended = (reason: string, stop: string): string => (reason.endsWith(stop) ? reason : reason + stop)
