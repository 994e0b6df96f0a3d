import type { ProvidedContext } from 'vitest'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** In the order of their time, 95 to 25 s. What starts last is waited for alone. */
const LONGEST = [
  'chaos/chaos',
  'migrations/adoption',
  'dashboard/browser',
  'histories/explain',
  'migrations/command-line',
  'accounts/isolation',
]

/** Vitest knows how long a file took the last time; on a machine without a last time it would go by the lines. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const placeOf = ({ moduleId }: TestSpecification) => {
      const place = LONGEST.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`))
      return place < 0 ? LONGEST.length : place
    }
    return sorted.sort((a, b) => placeOf(a) - placeOf(b))
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
      // These only end what hangs. A machine with ten times the work takes ten times as long, and nothing is wrong.
      testTimeout: 180_000,
      hookTimeout: 240_000,
      expect: { poll: { timeout: 60_000 } },
      // One more than the two cores: tests wait for a database server, for programs and for time to pass.
      maxWorkers: 3,
      // Files leave nothing behind in their process, and modules are read three times in a run and not once for each file,
      // which would take a minute.
      isolate: false,
      sequence: { sequencer: LongestFirst },
    },
  }
})
