import { assignUnassigned } from '../books/index.js'
import { assertClocksAgree } from '../operations/clock.js'
import { expireStale } from '../permits/expire.js'
import { findAppIds } from '../permits/store.js'
import { type AccountOptions, addAccountCommand } from './account.js'
import { type AddCommand, type Cli, EXIT } from './command.js'
import { assertKnown, withBase } from './databases.js'
import { print, startProgress } from './output.js'

export const addExpire: AddCommand = (program, cli) => {
  addAccountCommand(program, 'expire', 'the account whose permits are looked at; all accounts if left out')
    .description('mark permits that have run out as expired, now')
    .option('--json', 'one JSON object on stdout', false)
    .action((options: AccountOptions) => cli.end(options, () => expire(cli, options)))
}

async function expire(cli: Cli, options: AccountOptions): Promise<number> {
  const { WX_APP_ID: only } = cli.env
  const { json, appId: named = only } = options
  return withBase(cli, 'writes', async (base) => {
    const { db, log, now } = base
    await assertKnown(cli, base, options.appId)
    await assertClocksAgree(db, now)
    const appIds = named ? [named] : await findAppIds(db)
    if (only) await assignUnassigned(db, only, now())
    const progress = await startProgress(cli.streams, 'expire')
    const total = { expired: 0, users: 0 }
    for (const appId of appIds) {
      const sweep = { appId, slot: now(), triggeredBy: 'manual' } as const
      const before = total.expired
      const swept = await expireStale({ db, log, signal: cli.stop }, sweep, now(), (expired) =>
        progress.update(before + expired),
      ).finally(() => progress.stop())
      total.expired += swept?.expired ?? 0
      total.users += swept?.users ?? 0
    }
    print(cli.streams, json, total, [`${total.expired} permits of ${total.users} users expired.`])
    return EXIT.ok
  })
}
