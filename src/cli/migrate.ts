import type { Command } from 'commander'
import { readConfig } from '../config/read.js'
import { type MigrationPreview, migrateLatest, pendingMigrations, previewMigrations } from '../schema.js'
import {
  assertFileExists,
  command,
  EXIT,
  env,
  type JsonOption,
  migrationParams,
  withDatabase,
} from './command.js'
import { print } from './output.js'

export function addMigrate(program: Command): void {
  program
    .command('migrate')
    .description('bring the database up to date')
    .option('--dry-run', 'say what would change and how long it may take, and change nothing', false)
    .option('--json', 'one JSON object on stdout', false)
    .action((options: JsonOption & { dryRun: boolean }) =>
      command(options, () => (options.dryRun ? preview(options) : migrate(options))),
    )
}

function migrate({ json }: JsonOption): Promise<number> {
  return withDatabase(async ({ db }) => {
    const migrated = await pendingMigrations(db)
    await migrateLatest(db, migrationParams)
    print(json, { migrated }, [
      migrated.length === 0 ? 'Nothing to migrate.' : `Migrated: ${migrated.join(', ')}`,
    ])
    return EXIT.ok
  })
}

function preview({ json }: JsonOption): Promise<number> {
  assertFileExists(readConfig(env).databaseUrl)
  return withDatabase(async ({ db, now }) => {
    const report = await previewMigrations(db, now())
    print(json, report, describe(report))
    return EXIT.ok
  })
}

function describe({ pending, tables, seconds }: MigrationPreview): string[] {
  if (pending.length === 0) return ['Nothing to migrate.']
  return [
    `${pending.length} migrations are pending: ${pending.join(', ')}`,
    ...tables.flatMap(({ table, rows, add_columns, add_keys, changes }) => [
      `${table}: ${rows} rows; to add: ${[...add_columns, ...add_keys].join(', ') || 'nothing'}`,
      ...Object.entries(changes)
        .filter(([, count]) => count > 0)
        .map(([kind, count]) => `  ${count} ${kind.replaceAll('_', ' ')}`),
    ]),
    `It may take ${seconds} s, at the rate of 2 million permits and 380,000 counters in 92 s. Nothing was changed.`,
  ]
}
