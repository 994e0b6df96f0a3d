import { toJson } from '../lib/user-id.js'
import { type AuditReport, audit } from '../operations/audit.js'
import { type AccountOptions, addAccountCommand } from './account.js'
import { type AddCommand, EXIT } from './command.js'
import { assertKnown, withBase } from './databases.js'
import { print } from './output.js'

export const addAudit: AddCommand = (program, cli) => {
  addAccountCommand(
    program,
    'audit',
    'the account whose rows it reads; all that the database has if left out',
  )
    .description(
      'prove from the data that counters are exact, nobody was reminded twice, and the oldest permits went first',
    )
    .option('--fix', 'recount wrong counters, and correct any last_date in the future', false)
    .option('--json', 'one JSON object on stdout', false)
    .action((options: AccountOptions & { fix: boolean }) =>
      cli.end(options, async () =>
        withBase(cli, 'reads', async (base) => {
          await assertKnown(cli, base, options.appId)
          const report = await audit(base.db, base.now(), options.fix, options.appId)
          print(cli.streams, options.json, report, describe(report, options.fix))
          return report.ok ? EXIT.ok : EXIT.found
        }),
      ),
    )
}

function describe(report: AuditReport, hasFixed: boolean): string[] {
  const { checks, fixed, fixed_dates, fixed_messages, fixed_ends, fixed_outcomes } = report
  return [
    ...checks.flatMap(({ name, ok, violations }) => [
      `${ok ? 'ok  ' : 'FAIL'} ${name}`,
      ...violations.map((row) => `       ${toJson(row)}`),
    ]),
    ...(hasFixed
      ? [
          `${fixed} counters recounted, ${fixed_dates} future last_date corrected, ${fixed_messages} messages to be taken over, ` +
            `${fixed_ends} ends of submitted messages recorded again, ` +
            `the outcomes of ${fixed_outcomes} runs recounted.`,
        ]
      : []),
  ]
}
