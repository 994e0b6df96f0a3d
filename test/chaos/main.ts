import { randomInt } from 'node:crypto'
import { SingleBar } from 'cli-progress'
import { Command, InvalidArgumentError, Option } from 'commander'
import { buildProgram } from '../helpers/program.js'
import { runChaos } from './driver.js'
import { CHANNELS, type ChaosOptions, type ChaosReport } from './options.js'

interface Flags {
  channel: ChaosOptions['channel']
  kills: number
  database: 'mysql' | 'sqlite'
  seed?: number
  processes: number
  faultRate: number
  keep: boolean
}

const program = new Command('chaos')
  .description('kills real processes, and the database, under a failing WeChat, and then compares the books')
  .addOption(new Option('--channel <channel>').choices([...CHANNELS]).default('form_id'))
  .option('--kills <n>', 'SIGKILLs before the books are compared', numberFrom(1, 1_000_000), 100)
  .addOption(new Option('--database <kind>').choices(['mysql', 'sqlite']).default('mysql'))
  .option('--seed <n>', 'plans of an earlier run; default a random one', numberFrom(0, 2 ** 31))
  .option('--processes <n>', 'places for serve and remind', numberFrom(1, 4), 3)
  .option('--fault-rate <share>', 'of the calls to WeChat that are struck', numberFrom(0, 1), 0.2)
  .option('--keep', 'keeps traces and tables even if all is well', false)
  .action(async ({ seed = randomInt(2 ** 31), ...flags }: Flags) => {
    process.stderr.write(`seed ${seed}\n`)
    const built = await buildProgram()
    // An exit takes the processes along; a signal's own end would leave them behind.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
    process.on('exit', built.remove)
    const report = await withProgress(flags.kills, (onProgress) =>
      runChaos({ ...flags, seed, main: built.main, onProgress }),
    )
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
    process.stderr.write(`${summaryOf(report)}\n`)
    process.exitCode = report.ok ? 0 : 1
  })

async function withProgress(
  kills: number,
  run: (onProgress: (kills: number) => void) => Promise<ChaosReport>,
): Promise<ChaosReport> {
  if (!process.stderr.isTTY) return run(() => {})
  const bar = new SingleBar({ format: 'chaos {bar} {value}/{total} kills {eta_formatted}', hideCursor: true })
  bar.start(kills, 0)
  try {
    return await run((done) => bar.update(done))
  } finally {
    bar.stop()
  }
}

function summaryOf(report: ChaosReport): string {
  const { first } = report.resume
  const broken = Object.entries(report.violations).filter(([, rows]) => rows.length > 0)
  return [
    `${report.kills} kills, ${report.freezes} freezes, ${report.database_restarts} database restarts in ${report.seconds} s on ${report.channel}, ${report.database}`,
    `${report.delivered_by_wechat} messages to ${report.users} users, ${report.uploads.stored} permits uploaded`,
    `submitted ${JSON.stringify(report.submitted)}`,
    `from a kill to the takeover: half within ${first.p50_ms} ms, 95 % within ${first.p95_ms} ms, lease ${report.lease_ms} ms`,
    ...unknownOf('reminders', report.unknown),
    ...unknownOf('submitted messages', report.submitted_unknown),
    ...broken.map(([name, rows]) => `VIOLATED ${name}: ${rows.length}`),
    ...report.trouble.map((line) => `TROUBLE ${line}`),
    report.ok
      ? 'No violations.'
      : `Again with: npm run chaos -- --channel ${report.channel} --seed ${report.seed} --kills ${report.kills} --database ${report.database} ` +
        `--processes ${report.processes} --fault-rate ${report.fault_rate}; traces and tables in ${report.folder}`,
  ].join('\n')
}

function unknownOf(what: string, unknown: ChaosReport['unknown']): string[] {
  if (!unknown) return []
  return [
    `${unknown.messages} ${what} unknown: ${unknown.answer_lost} answers lost, ${unknown.under_way} under way at a kill, a freeze or ` +
      `without a database (${unknown.most_under_way_at_once} at most at once), ${unknown.stalled} stalled, ${unknown.marked_and_unsent} marked and not sent ` +
      `(${unknown.most_unsent_at_once} at most)`,
  ]
}

function numberFrom(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!(value >= low && value <= high)) throw new InvalidArgumentError(`A number from ${low} to ${high}.`)
    return value
  }
}

await program.parseAsync()
