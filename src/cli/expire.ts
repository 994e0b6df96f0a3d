import { assignUnassigned } from '../books/index.js'
import { assertClocksAgree } from '../operations/clock.js'
import { expireStale } from '../permits/expire.js'
import { findAppIds } from '../permits/store.js'
import { type AddCommand, type Cli, EXIT, type JsonOption } from './command.js'
import { withBase } from './databases.js'
import { print, startProgress } from './output.js'

export const addExpire: AddCommand = (program, cli) => {
  program
    .command('expire')
    .description('mark permits that have run out as expired, now')
    .option('--json', 'one JSON object on stdout', false)
    .action((options: JsonOption) => cli.end(options, () => expire(cli, options)))
}

async function expire(cli: Cli, { json }: JsonOption): Promise<number> {
  const { WX_APP_ID: appId } = cli.env
  return withBase(cli, 'writes', async ({ db, log, now }) => {
    await assertClocksAgree(db, now)
    const appIds = appId ? [appId] : await findAppIds(db)
    if (appId) await assignUnassigned(db, appId, now())
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
