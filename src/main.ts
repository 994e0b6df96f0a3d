import { Command } from 'commander'
import { assignUnassigned } from './books/index.js'
import { addBringBack } from './cli/bring-back.js'
import {
  assertFileExists,
  command,
  EXIT,
  env,
  type JsonOption,
  stop,
  stopRequested,
  withBase,
  withDatabase,
  withSending,
} from './cli/command.js'
import { addMigrate } from './cli/migrate.js'
import { toCount, toDate } from './cli/options.js'
import { print, printDatabase, startProgress } from './cli/output.js'
import { addRestored } from './cli/restored.js'
import { readConfig, readSettings } from './config/read.js'
import { databaseName } from './db/database-name.js'
import { openSending } from './deps.js'
import { businessDate, toIsoDate } from './lib/business-date.js'
import { firingsOn, parseCron } from './lib/cron.js'
import { armFailpoints } from './lib/failpoint.js'
import { setTestTiming } from './lib/test-timing.js'
import { toJson } from './lib/user-id.js'
import { describeOpen, openToJson } from './messages/open-messages.js'
import { countOpen } from './messages/open-store.js'
import { recover } from './messages/recovery.js'
import type { Tally } from './messages/tally.js'
import { audit } from './operations/audit.js'
import { assertClocksAgree } from './operations/clock.js'
import { examine } from './operations/doctor.js'
import type { Finding } from './operations/finding.js'
import { expireStale } from './permits/expire.js'
import { findAppIds } from './permits/store.js'
import { planRun } from './reminders/plan.js'
import { assertToday, runReminders } from './reminders/run.js'
import { pendingMigrations } from './schema.js'

const program = new Command('reminder').description('Sign-in reminders for WeChat mini-programs')

program
  .command('serve')
  .description('HTTP and schedule')
  .option('--migrate', 'run pending migrations first', false)
  .action((options: { migrate: boolean }) =>
    command({ json: false }, async () => {
      const { config, account } = readSettings(env, 'any message')
      const { startService } = await import('./service.js')
      const service = await startService(config, account, options)
      service.startSchedule()
      await stopRequested()
      await service.stop()
      return EXIT.ok
    }),
  )

addMigrate(program)

program
  .command('remind')
  .description("today's run, now: reminds who is due and was not reminded today")
  .option('--date <YYYY-MM-DD>', 'today in the account’s zone; any other day is refused', toDate)
  .option('--limit <n>', 'remind at most so many users now, whichever process does it', toCount)
  .option('--json', 'one JSON object on stdout', false)
  .action((options: JsonOption & { date?: number; limit?: number }) =>
    command(options, () =>
      withSending(
        'reminders',
        async (sending, account) => {
          const { db, now } = sending
          const date = options.date ?? businessDate(now(), account.timezone)
          const progress = await startProgress(
            'remind',
            async () => (await planRun(db, account, date, now())).due,
          )
          const report = await runReminders(sending, account, {
            date,
            triggeredBy: 'manual',
            signal: stop.signal,
            onProgress: (tally) => progress.update(settled(tally)),
            ...(options.limit === undefined ? {} : { limit: options.limit }),
          }).finally(() => progress.stop())
          const { runId, skippedSignedIn, ...rest } = report
          print(
            options.json,
            { run_id: runId, ...rest, date: toIsoDate(date), skipped_signed_in: skippedSignedIn },
            [
              `Run ${runId} of ${toIsoDate(date)}: ${report.state}${report.reason ? ` – ${report.reason}` : ''}`,
              `${report.due} due: ${report.delivered} delivered, ${report.failed} failed, ${report.unknown} unknown, ` +
                `${report.retrying} to be tried again. ${report.cancelled} given back. ${skippedSignedIn} had signed in.`,
            ],
          )
          return report.state === 'done' || report.state === 'limited' ? EXIT.ok : EXIT.notFinished
        },
        (account, now) => {
          if (options.date !== undefined) assertToday(account, options.date, now)
        },
      ),
    ),
  )

program
  .command('plan')
  .description('what remind would do, and whom it would pass over; sends nothing')
  .option('--date <YYYY-MM-DD>', 'business date; default today', toDate)
  .option('--json', 'one JSON object on stdout', false)
  .action((options: JsonOption & { date?: number }) =>
    command(options, () => {
      const { config, account } = readSettings(env, 'nothing')
      return withBase(
        'reads',
        async ({ db, now }) => {
          const today = businessDate(now(), account.timezone)
          const date = options.date ?? today
          const [firing = now()] =
            date > today ? firingsOn(parseCron(account.remindCron), date, account.timezone) : []
          const plan = await planRun(db, account, date, firing)
          const { skipped } = plan
          print(options.json, { ...plan, date: toIsoDate(date) }, [
            `${toIsoDate(date)}: ${plan.due} due.`,
            `Not: ${skipped.signed_in} signed in, ${skipped.reminded_today} reminded today, ${skipped.no_valid_permit} ` +
              `without a valid permit, ${skipped.no_permit} without any, ${skipped.stopped} want or get none.`,
            `Of that day's reminders: ${skipped.failed_today} failed, ${skipped.unknown_today} unknown, ` +
              `${skipped.in_hand} in hand, ${plan.given_back} given back.`,
            ...plan.sample.map(({ user_id, data }) => `  user ${user_id}: ${JSON.stringify(data)}`),
          ])
          return EXIT.ok
        },
        { config, account },
      )
    }),
  )

program
  .command('expire')
  .description('set permits that ran out to expired, now')
  .option('--json', 'one JSON object on stdout', false)
  .action((options: JsonOption) =>
    command(options, () =>
      withBase('writes', async ({ db, log, now }) => {
        await assertClocksAgree(db, now)
        const appIds = env.WX_APP_ID ? [env.WX_APP_ID] : await findAppIds(db)
        if (env.WX_APP_ID) await assignUnassigned(db, env.WX_APP_ID, now())
        const progress = await startProgress('expire')
        const total = { expired: 0, users: 0 }
        for (const appId of appIds) {
          const sweep = { appId, slot: now(), triggeredBy: 'manual' } as const
          const before = total.expired
          const report = await expireStale({ db, log, signal: stop.signal }, sweep, now(), (expired) =>
            progress.update(before + expired),
          ).finally(() => progress.stop())
          total.expired += report?.expired ?? 0
          total.users += report?.users ?? 0
        }
        print(options.json, total, [`${total.expired} permits of ${total.users} users expired.`])
        return EXIT.ok
      }),
    ),
  )

program
  .command('recover')
  .description('send or settle what a crash left, and retries that are due')
  .option('--json', 'one JSON object on stdout', false)
  .action((options: JsonOption) =>
    command(options, () =>
      withSending('any message', async (sending, account) => {
        const tally = await recover(sending, account, { signal: stop.signal })
        const { delivered, failed, unknown, cancelled, retry } = tally
        const open = await countOpen(sending.db, account.appId, sending.now())
        const left = describeOpen(open)
        print(options.json, { delivered, failed, unknown, cancelled, retrying: retry, ...openToJson(open) }, [
          `${delivered} delivered, ${failed} failed, ${unknown} unknown, ${cancelled} given back, ${retry} to be tried again.`,
          ...(left === undefined ? [] : [`Left: ${left}.`]),
        ])
        return EXIT.ok
      }),
    ),
  )

addBringBack(program)
addRestored(program)

program
  .command('audit')
  .description(
    'prove on the data that counters are exact, nobody was reminded twice, oldest permits went first',
  )
  .option('--fix', 'recount wrong counters, and set a last_date in the future back', false)
  .option('--json', 'one JSON object on stdout', false)
  .action((options: JsonOption & { fix: boolean }) =>
    command(options, () =>
      withBase('reads', async ({ db, now }) => {
        const report = await audit(db, now(), options.fix)
        print(options.json, report, [
          ...report.checks.flatMap(({ name, ok, violations }) => [
            `${ok ? 'ok  ' : 'FAIL'} ${name}`,
            ...violations.map((row) => `       ${toJson(row)}`),
          ]),
          ...(options.fix
            ? [`${report.fixed} counters recounted, ${report.fixed_dates} future last_date set back.`]
            : []),
        ])
        return report.ok ? EXIT.ok : EXIT.found
      }),
    ),
  )

program
  .command('doctor')
  .description('look at everything that a run needs, and say what to do')
  .option('--json', 'one JSON object on stdout', false)
  .action((options: JsonOption) =>
    command(options, () => {
      const settings = readSettings(env, 'nothing')
      assertFileExists(settings.config.databaseUrl)
      return withDatabase(async (base) => {
        const { config, account } = settings
        const sending = openSending(base, config, account)
        const { db, now: systemNow } = base
        const { getToken } = sending
        const { redisUrl: url, sendRate } = config
        const redis = url === undefined ? {} : { redis: { url, sendRate } }
        const { findCallbackTarget } = await import('./operations/callback-target.js')
        const callback = await findCallbackTarget(base, config, account)
        const deps = { db, pendingMigrations, account, systemNow, getToken, callback, ...redis }
        const checks = await examine(deps).finally(sending.close)
        const ok = checks.every(({ status }) => status !== 'fail')
        print(options.json, { ok, checks }, checks.map(toLine))
        return ok ? EXIT.ok : EXIT.found
      }, settings)
    }),
  )

program
  .command('sandbox')
  .description('a simulated WeChat alone, for WX_API_BASE_URL')
  .option('--port <n>', 'port on 127.0.0.1', toCount, 3100)
  .action(({ port }: { port: number }) =>
    command({ json: false }, async () => {
      const { WX_APP_ID: appId, WX_APP_SECRET: secret } = env
      const { startSandbox } = await import('./sandbox/sandbox.js')
      const sandbox = await startSandbox({
        port,
        ...(appId && secret ? { accounts: [{ appId, secret }] } : {}),
      })
      process.stdout.write(
        `Sandbox WeChat on ${sandbox.url} (simulated; control under ${sandbox.url}/sandbox/)\n`,
      )
      await stopRequested()
      await sandbox.close()
      return EXIT.ok
    }),
  )

program
  .command('demo')
  .description('the whole job on sample users, an embedded database and a simulated WeChat')
  .option('--once', 'end after the summary; exit 0 only if our books and WeChat’s ledger agree', false)
  .action(({ once }: { once: boolean }) =>
    command({ json: false }, async () => {
      const { DEMO_DATABASE_URL, runDemo } = await import('./demo/demo.js')
      printDatabase(databaseName(DEMO_DATABASE_URL))
      const demo = await runDemo({ port: readConfig(env).port, once })
      if (!once) await stopRequested()
      await demo.stop()
      return demo.booksAgree ? EXIT.ok : EXIT.error
    }),
  )

function toLine({ status, name, reason, fix }: Finding): string {
  return `${status.padEnd(4)} ${name}: ${reason}${fix ? `. ${fix}` : ''}`
}

function settled({ delivered, failed, unknown }: Tally): number {
  return delivered + failed + unknown
}

if (env.REMINDER_FAILPOINTS) {
  armFailpoints(env.REMINDER_FAILPOINTS)
  if (env.REMINDER_TEST_TIMING) setTestTiming(env.REMINDER_TEST_TIMING)
}
await program.parseAsync()
