import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { type Comparison, compareRatios, type Ratio, ratiosOf } from './compare.js'
import { readResults, writeResults } from './pages.js'
import {
  asLines,
  machineOf,
  reachedOf,
  type Section,
  significant,
  targetRows,
  workOf,
  workRows,
} from './report.js'
import { createBenchDatabase } from './rig/database.js'
import { runAll } from './run-all.js'
import { GROWTH, GROWTH_SERVER } from './suites/growth.js'
import { QUICK_SIDE_BY_SIDE, SIDE_BY_SIDE } from './suites/index.js'
import { FULL, QUICK } from './suites/suite.js'
import { GROWTH_TARGETS, TARGETS } from './targets.js'

/**
 * Runs the candidates of a suite, prints the medians and each target beside its figure. A complete run writes its
 * results, charts and page; a quick one is compared with the ratios that were stored, and ends with 3 if one dropped.
 */
const program = new Command('bench')
  .description('this service beside others, on databases of their own')
  .option('--quick', 'less work, and its ratios beside the stored ones; exit code 3 if one dropped', false)
  .option('--store', 'with --quick: store its ratios for later quick runs', false)
  .option('--growth', 'the daily run on tables that have grown, and commands on a large account', false)
  .option('--rounds <n>', 'how often each candidate runs; default 3, with --growth 1')
  .option('--only <words>', 'candidates whose name has this in it; nothing is written or compared')
  .option('--out <folder>', 'where results, charts and stored ratios are', 'docs/bench')
  .option('--pages', 'measure nothing; write the charts and the page again from their results', false)
  .option('--json', 'one JSON object on stdout', false)

interface Options {
  quick: boolean
  store: boolean
  growth: boolean
  rounds?: string
  only?: string
  out: string
  pages: boolean
  json: boolean
}

const EXIT_DROPPED = 3
/** Of the rounds of a quick run, which takes two minutes at most with the start of the databases. */
const QUICK_MS = 105_000

async function main(options: Options): Promise<void> {
  const { quick, growth, only, json } = options
  if (options.pages) return writeResults(options.out, readResults(options.out))
  const suite = growth ? GROWTH : quick && only === undefined ? QUICK_SIDE_BY_SIDE : SIDE_BY_SIDE
  const candidates = suite.filter(({ name }) => only === undefined || name.includes(only))
  const targets = growth ? GROWTH_TARGETS : TARGETS
  const mysql = await createBenchDatabase('mysql', growth ? GROWTH_SERVER : [])
  const sqlite = await createBenchDatabase('sqlite')
  try {
    const machine = await machineOf(mysql.db)
    const rig = { mysql, sqlite, scale: quick ? QUICK : FULL }
    const wanted = Number(options.rounds ?? (growth ? 1 : 3))
    const measured = await runAll(rig, candidates, wanted, quick && !growth ? { withinMs: QUICK_MS } : {})
    const rounds = Math.max(...[...measured.values()].map((figures) => figures.length))
    const work = workOf(candidates, measured)
    const section: Section = {
      machine,
      date: new Date().toISOString().slice(0, 10),
      command: ['npm run bench', ...(process.argv.length > 2 ? ['--'] : []), ...process.argv.slice(2)].join(
        ' ',
      ),
      rounds,
      work,
      targets: reachedOf(targets, work),
    }
    const comparisons =
      quick && !growth && only === undefined ? compare(ratiosOf(targets, measured, rounds), options) : []
    if (json)
      process.stdout.write(
        `${JSON.stringify({ ...section, comparisons, measured: Object.fromEntries(measured) })}\n`,
      )
    else print(section, comparisons)
    if (!quick && only === undefined)
      writeResults(options.out, {
        ...readResults(options.out),
        [growth ? 'growth' : 'side_by_side']: section,
      })
    if (comparisons.some(({ verdict }) => verdict === 'dropped')) process.exitCode = EXIT_DROPPED
  } finally {
    await Promise.all([mysql.close(), sqlite.close()])
  }
}

/** Beside the stored ratios; with --store, they are replaced afterwards. */
function compare(ratios: Ratio[], { out, store }: Options): Comparison[] {
  const file = join(out, 'quick.json')
  const stored = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Ratio[]) : []
  if (store) {
    mkdirSync(out, { recursive: true })
    writeFileSync(file, `${JSON.stringify(ratios, null, 2)}\n`)
  }
  return compareRatios(ratios, stored)
}

function print({ work, targets }: Section, comparisons: Comparison[]): void {
  process.stdout.write(`${asLines(workRows(work))}\n${asLines(targetRows(targets))}`)
  if (comparisons.length === 0) return
  const rows = comparisons.map(({ name, figure, stored, noise, verdict }) => [
    name,
    significant(figure),
    significant(stored),
    `${(noise * 100).toFixed(0)} %`,
    verdict,
  ])
  process.stdout.write(`\n${asLines([['ratio', 'now', 'stored', 'noise', ''], ...rows])}`)
}

program.action((options: Options) => main(options))
await program.parseAsync()
