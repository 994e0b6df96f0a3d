import type { ProvidedContext } from 'vitest'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The file that takes longest has few lines, and would come last, with nothing left to run while it waits. */
class ChaosFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isChaos = ({ moduleId }: TestSpecification) => moduleId.endsWith('/chaos.test.ts')
    return [...sorted.filter(isChaos), ...sorted.filter((file) => !isChaos(file))]
  }
}

/** The address is for who forgets a tag: such a test fails with it. */
const QUICK: Partial<ProvidedContext> = {
  dialects: ['sqlite'],
  mysqlServerUrl: 'mysql://tests-on-mysql-have-the-tag-mysql.invalid',
  databasePrefix: '',
}

/**
 * `--mode quick`: what needs no server, starts no program and is not long, on SQLite. For a look while one works, not
 * for a commit.
 */
export default defineConfig(({ mode }) => {
  const isQuick = mode === 'quick'
  return {
    test: {
      include: ['test/**/*.test.ts'],
      globalSetup: ['test/helpers/sqlite-setup.ts', ...(isQuick ? [] : ['test/helpers/full-setup.ts'])],
      provide: isQuick ? QUICK : { dialects: ['sqlite', 'mysql'] },
      tags: [
        { name: 'mysql', description: 'Needs MySQL, beside those that hold on every database.' },
        { name: 'redis', description: 'Starts a Redis of its own.' },
        { name: 'long', description: 'Works for seconds: random histories, every fault, a life of months.' },
        { name: 'programs', description: 'Starts programs: the command line, or processes that are killed.' },
        { name: 'browser', description: 'Drives a Chromium.' },
      ],
      ...(isQuick ? { tagsFilter: ['!(mysql || redis || programs || long || browser)'] } : {}),
      testTimeout: 30_000,
      hookTimeout: 120_000,
      // Two cores are shared with a database server: more workers only make each other wait.
      maxWorkers: 2,
      // Files leave nothing behind in their process, and modules are read twice in a run and not once for each file, which
      // took 70 of its 380 seconds.
      isolate: false,
      sequence: { sequencer: ChaosFirst },
    },
  }
})
