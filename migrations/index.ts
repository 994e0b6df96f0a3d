import type { Knex } from 'knex'

const migrations: Record<string, Knex.Migration> = {}

/**
 * The one list of migrations, in order. Names carry no file extension: Knex records names, and with extensions a
 * database migrated by the TypeScript sources would be refused as corrupt by the compiled program.
 */
export const migrationSource: Knex.MigrationSource<string> = {
  getMigrations: async () => Object.keys(migrations),
  getMigrationName: (name) => name,
  getMigration: async (name) => {
    const migration = migrations[name]
    if (!migration) throw new Error(`Migration ${name} is not in migrations/index.ts`)
    return migration
  },
}
