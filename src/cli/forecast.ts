import { InvalidArgumentError } from 'commander'
import { type BackTest, backTest } from '../summaries/back-test.js'
import { DEFAULT_DAYS, type Forecast, forecastNow, MAX_DAYS } from '../summaries/forecast.js'
import { type AccountOptions, addAccountCommand, readAccountSettings } from './account.js'
import { type AddCommand, type Cli, EXIT } from './command.js'
import { withBase } from './databases.js'
import { toCount } from './options.js'
import { print, startProgress } from './output.js'

interface Options extends AccountOptions {
  days: number
  backTest: boolean
}

export const addForecast: AddCommand = (program, cli) => {
  addAccountCommand(program, 'forecast')
    .description('count how many users can be reminded on each coming day; send nothing')
    .option('--days <N>', `1 to ${MAX_DAYS}`, toDays, DEFAULT_DAYS)
    .option('--back-test', 'say how good past forecasts were', false)
    .option('--json', 'one JSON object on stdout', false)
    .action((options: Options) => cli.end(options, () => forecast(cli, options)))
}

function toDays(text: string): number {
  const days = toCount(text)
  if (days < 1 || days > MAX_DAYS) throw new InvalidArgumentError(`1 to ${MAX_DAYS} days can be forecast.`)
  return days
}

async function forecast(cli: Cli, options: Options): Promise<number> {
  const { days, json, backTest: isBackTest } = options
  const { config, account } = readAccountSettings(cli, 'nothing', options)
  return withBase(
    cli,
    'reads',
    async ({ db, now }) => {
      if (isBackTest) {
        const tested = await backTest(db, account, now())
        print(cli.streams, json, tested, describeTest(tested))
        return EXIT.ok
      }
      const progress = await startProgress(cli.streams, 'users read')
      const answer = await forecastNow(db, account, {
        days,
        now: now(),
        onPage: (counters) => progress.update(counters),
      }).finally(() => progress.stop())
      print(cli.streams, json, answer, describe(answer))
      return EXIT.ok
    },
    { config, account },
  )
}

function describe({ days }: Forecast): string[] {
  return days.map(({ date, reachable, permits_left, going_dark, expected, expected_low, expected_high }) => {
    const guess = expected === null ? '' : `; expected ${expected} (${expected_low} to ${expected_high})`
    return `${date}: ${reachable} reachable, ${permits_left} permits left, ${going_dark} for the last time${guess}`
  })
}

function describeTest({ rows }: BackTest): string[] {
  if (rows.length === 0)
    return [
      'There is no history to test yet: it takes some days of runs that ended as done, see docs/operating.md.',
    ]
  return rows.map(
    (row) =>
      `${row.firings_ahead} ahead, ${row.days} days: off by ${row.error_percent} % (reachable alone: ` +
      `${row.reachable_error_percent} %), ${row.within_band_percent} % within the band`,
  )
}
