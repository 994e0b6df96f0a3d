import type { Command } from 'commander'
import { readSettings } from '../config/read.js'
import { selectRows } from '../db/sql.js'
import { inTransaction } from '../db/transaction.js'
import { ServiceError } from '../errors.js'
import { addDays, businessDate } from '../lib/business-date.js'
import type { UserId } from '../lib/user-id.js'
import { type BroughtBack, bringBack } from '../operations/bring-back.js'
import { findRemindRuns } from '../runs/occurrences.js'
import { countStopped, liftAll, type Named } from '../users/stop-store.js'
import { command, EXIT, env, type JsonOption, stop, withBase } from './command.js'
import { parseMoment, parseUserId, toCount } from './options.js'
import { print, startProgress } from './output.js'

interface Options extends JsonOption {
  run?: number
  since?: string
  user?: UserId
  openId?: string
  dryRun: boolean
}

export function addBringBack(program: Command): void {
  program
    .command('bring-back')
    .description('send again to people whom refusals of WeChat have stopped')
    .option('--run <id>', 'those whom the messages of this run stopped', toCount)
    .option(
      '--since <time>',
      'those whom messages stopped since then: YYYY-MM-DD HH:MM in TIMEZONE, or ISO 8601',
    )
    .option('--user <id>', 'this user, whatever stopped the user', parseUserId)
    .option('--open-id <id>', 'this person, whatever stopped the person')
    .option('--dry-run', 'count, and change nothing', false)
    .option('--json', 'one JSON object on stdout', false)
    .action((options: Options) =>
      command(options, () => {
        const { config, account } = readSettings(env, 'nothing')
        const { run, since, user, openId, dryRun } = options
        if ([run, since, user, openId].filter((value) => value !== undefined).length !== 1)
          throw new ServiceError('invalid_request', 'Name one of --run, --since, --user and --open-id')
        const sinceMs = since === undefined ? 0 : parseMoment(since, account.timezone)
        return withBase(
          'writes',
          async ({ db, now }) => {
            const { appId, timezone } = account
            let done: BroughtBack
            if (user !== undefined || openId !== undefined) {
              const named: Named =
                user !== undefined ? { appId, userId: user } : { appId, openId: openId ?? '' }
              const { persons, stopped } = await countStopped(db, named)
              if (persons === 0) throw new ServiceError('not_found', 'There is nobody of that name')
              if (!dryRun) await inTransaction(db, (trx) => liftAll(trx, named, now()))
              done = { people: stopped, permits: 0 }
            } else {
              // A message is settled on its day; one that was in doubt, a little later.
              const fromDate = addDays(businessDate(sinceMs, timezone), -2)
              const runs = await findRemindRuns(db, appId, since === undefined ? 0 : fromDate)
              const runIds = run === undefined ? runs : runs.filter((id) => id === run)
              if (run !== undefined && runIds.length === 0)
                throw new ServiceError('not_found', `This account has no run ${run} of remind`)
              const progress = await startProgress('bring-back', async () => {
                const [row] = await selectRows<{ n: number }>(
                  db,
                  'SELECT COUNT(*) AS n FROM wx_user WHERE app_id = ? AND stop_message_id IS NOT NULL',
                  [appId],
                )
                return row?.n ?? 0
              })
              done = await bringBack(
                db,
                { appId, runIds, since: sinceMs, dryRun, signal: stop.signal, onProgress: progress.update },
                now(),
              ).finally(() => progress.stop())
            }
            print(options.json, { dry_run: dryRun, ...done }, [
              `${done.people} people ${dryRun ? 'would be' : 'are'} sent to again, ${done.permits} voided permits are good again.`,
            ])
            return stop.signal.aborted ? EXIT.notFinished : EXIT.ok
          },
          { config, account },
        )
      }),
    )
}
