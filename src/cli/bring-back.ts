import type { Account } from '../account.js'
import { inTransaction } from '../db/transaction.js'
import type { Base } from '../deps.js'
import { ServiceError } from '../errors.js'
import { addDays, businessDate } from '../lib/business-date.js'
import type { UserId } from '../lib/user-id.js'
import { type BroughtBack, bringBack } from '../operations/bring-back.js'
import { findRemindRuns } from '../runs/occurrences.js'
import { bringBackNamed } from '../users/bring-back.js'
import { countStopped, countStoppedByMessages, type Named } from '../users/stop-store.js'
import { findVoidedOf } from '../users/voided-store.js'
import { type AccountOptions, addAccountCommand, readAccountSettings } from './account.js'
import { type AddCommand, type Cli, EXIT } from './command.js'
import { withBase } from './databases.js'
import { parseMoment, parseUserId, toCount } from './options.js'
import { print, startProgress } from './output.js'

interface Options extends AccountOptions {
  run?: number
  since?: string
  user?: UserId
  openId?: string
  dryRun: boolean
}

export const addBringBack: AddCommand = (program, cli) => {
  addAccountCommand(program, 'bring-back')
    .description('send again to people whom WeChat’s refusals have stopped')
    .option('--run <id>', 'the people whom messages of this run stopped', toCount)
    .option(
      '--since <time>',
      'the people whom messages stopped since then: YYYY-MM-DD HH:MM in TIMEZONE, or ISO 8601',
    )
    .option('--user <id>', 'this user, whatever the reason', parseUserId)
    .option('--open-id <id>', 'this person, whatever the reason')
    .option('--dry-run', 'only count, change nothing', false)
    .option('--json', 'one JSON object on stdout', false)
    .action((options: Options) => cli.end(options, () => bringPeopleBack(cli, options)))
}

async function bringPeopleBack(cli: Cli, options: Options): Promise<number> {
  const { config, account } = readAccountSettings(cli, 'nothing', options)
  const { run, since, user, openId, dryRun, json } = options
  if ([run, since, user, openId].filter((value) => value !== undefined).length !== 1)
    throw new ServiceError('invalid_request', 'Give exactly one of --run, --since, --user and --open-id')
  const sinceMs = since === undefined ? undefined : parseMoment(since, account.timezone)
  return withBase(
    cli,
    'writes',
    async (base) => {
      const { appId } = account
      const done =
        user !== undefined
          ? await byName(base, { appId, userId: user }, dryRun)
          : openId !== undefined
            ? await byName(base, { appId, openId }, dryRun)
            : await byRuns(cli, base, account, { run, since: sinceMs, dryRun })
      print(cli.streams, json, { dry_run: dryRun, ...done }, [
        `${done.people} people ${dryRun ? 'would' : 'will'} get messages again, ${done.permits} voided permits become valid again.`,
      ])
      return cli.stop.aborted ? EXIT.notFinished : EXIT.ok
    },
    { config, account },
  )
}

async function byName({ db, now }: Base, named: Named, dryRun: boolean): Promise<BroughtBack> {
  const { persons, stopped } = await countStopped(db, named)
  if (persons === 0) throw new ServiceError('not_found', 'No such user')
  const permits = await inTransaction(db, async (trx) =>
    dryRun ? (await findVoidedOf(trx, named)).length : bringBackNamed(trx, named, now()),
  )
  return { people: stopped, permits }
}

async function byRuns(
  cli: Cli,
  { db, now }: Base,
  { appId, timezone }: Account,
  { run, since, dryRun }: { run: number | undefined; since: number | undefined; dryRun: boolean },
): Promise<BroughtBack> {
  // A message is settled on its day; one that was in doubt, a little later.
  const fromDate = since === undefined ? 0 : addDays(businessDate(since, timezone), -2)
  const runs = await findRemindRuns(db, appId, fromDate)
  const runIds = run === undefined ? runs : runs.filter((id) => id === run)
  if (run !== undefined && runIds.length === 0)
    throw new ServiceError('not_found', `This account has no remind run ${run}`)
  const countAll = () => countStoppedByMessages(db, appId)
  const progress = await startProgress(cli.streams, 'bring-back', countAll)
  return bringBack(
    db,
    { appId, runIds, since: since ?? 0, dryRun, signal: cli.stop, onProgress: progress.update },
    now(),
  ).finally(() => progress.stop())
}
