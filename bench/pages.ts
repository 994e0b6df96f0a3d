import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CHARTS, captionOf, drawChart } from './charts.js'
import { asMarkdown, type Section, targetRows, workRows } from './report.js'

/** The two suites are run apart, and share their file and their page. */
export interface Results {
  side_by_side?: Section
  growth?: Section
}

const RESULTS = 'results.json'

export function readResults(folder: string): Results {
  const file = join(folder, RESULTS)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Results) : {}
}

/** Writes what was measured, and from it the charts and the page, so that every figure there is in one file. */
export function writeResults(folder: string, results: Results): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, RESULTS), `${JSON.stringify(results, null, 2)}\n`)
  for (const [file, text] of pagesOf(results)) writeFileSync(join(folder, file), text)
}

/** Every file that follows from the results. */
export function pagesOf(results: Results): Map<string, string> {
  const { side_by_side: sideBySide } = results
  const charts = sideBySide ? CHARTS : []
  const files = new Map<string, string>()
  if (sideBySide) for (const chart of charts) files.set(chart.file, drawChart(chart, sideBySide))
  const parts = [
    HEAD,
    ...(sideBySide ? [chapter('Side by side', SIDE_BY_SIDE, sideBySide)] : []),
    ...charts.map(({ file, title, unit }) => `![${title}, ${unit}](${file})\n`),
    ...(results.growth ? [chapter('Growth', GROWTH, results.growth)] : []),
  ]
  files.set('README.md', parts.join('\n'))
  return files
}

const HEAD = `# What was measured

Written by \`npm run bench\` from [results.json](results.json); do not edit it by hand. Figures of one machine say little about
another one; ratios between candidates of one run say more. Medians of the rounds; CPU is that of the candidate's process and
of the database, in us for each unit; MB is the most memory that the candidate's process had. Candidates run compiled, this
service with the options of \`npm start\`. The database has its default
durability and a buffer pool of 256 MB, and like SQLite's its files are in the machine's folder for temporary files.

\`\`\`sh
npm run bench                     # side by side, three rounds, on an idle machine; writes this folder
npm run bench -- --growth         # grown tables and a large account, one round; writes this folder
npm run bench -- --quick          # under two minutes: its ratios beside those in quick.json, exit code 3 if one dropped
npm run bench -- --quick --store  # the same, and its ratios become those of quick.json
npm run bench -- --only uploads   # the candidates with this in their name; nothing is written
npm run bench -- --pages          # measures nothing: charts and page again, from results.json
\`\`\`
`

const SIDE_BY_SIDE = `Each candidate runs in every round, one after the other. The loop of the article that this service replaces and BullMQ have the
indexes, pools and batches that their authors would give them.
`

const GROWTH = `The daily run on tables that have grown, each reaching as many users as the plain one; then an account of 1 M users with 5 M
permits, and what an operator asks of it. The database has a buffer pool of 3 GB here, as for tables of that size. Slow
statements are those that took more than 200 ms.
`

function chapter(title: string, text: string, section: Section): string {
  const rounds = section.rounds === 1 ? '1 round' : `${section.rounds} rounds`
  return [
    `## ${title}\n`,
    text,
    `${captionOf(section).replace(/; ([^;]+)$/, '; `$1`')}; ${rounds}.\n`,
    asMarkdown(workRows(section.work)),
    asMarkdown(targetRows(section.targets)),
  ].join('\n')
}
